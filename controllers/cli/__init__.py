"""The command `eso`.

`main` dispatches to one module per sub-command; each offers `add_arguments(parser)` and `async run(args) -> int`.
`flags` reads flags the way the original's binary does, `entry` owns the event loop and the signals.
"""
