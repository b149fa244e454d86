"""The PushSecret controller: values of Secrets, or of a generator, written into stores and kept in step there.

`plan` reads an object, `expand` says what goes where, `records` what was written and what has to go again (all pure);
`sources` and `stores` find both ends, `push` writes, `sync` is one pass, `reconciler` the shell around it, `watches` what
wakes an object.
"""
