"""The command `eso`: sub-commands and dispatch."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from controllers.cli.flags import FlagParser

__all__ = ["main"]

Run = Callable[[argparse.Namespace, asyncio.Event], Awaitable[int]]


def _import_structlog_plainly() -> None:
    """Import structlog without rich.

    Where structlog finds rich it imports it (a tenth of a second of every start) and prints tracebacks with local variables
    until logging is configured; locals may hold secrets.
    """
    hidden = sys.modules.get("rich")
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        if hidden is None:
            del sys.modules["rich"]
        else:
            sys.modules["rich"] = hidden


def main(argv: Sequence[str] | None = None) -> int:
    """Run `eso` with `argv` (default: the process's arguments) and return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # The original's image has no sub-command for the controller: flags alone mean it.
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments.insert(0, "controller")
    # What is imported stays for good: looking through it for garbage, again and again and once at the end, takes a fifth of the start.
    gc.disable()
    try:
        _import_structlog_plainly()
        from controllers.cli.entry import run_command

        parser, runners = _parser(arguments[0])
        gc.freeze()
    finally:
        gc.enable()
    args = parser.parse_args(arguments)
    return run_command(f"eso {args.command}", lambda stop: runners[args.command](args, stop))


def _parser(command: str) -> tuple[FlagParser, dict[str, Run]]:
    """The parser with the flags of `command` only: each sub-command is imported when it is the one that runs."""
    parser = FlagParser(
        prog="eso", description="External Secrets Operator: keeps Kubernetes Secrets in step with secret stores."
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=FlagParser)
    runners: dict[str, Run] = {}
    for name, help_text in (
        ("controller", "run the operator on a cluster"),
        ("crds", "print or install the CustomResourceDefinitions"),
        ("render", "print the Secret that an ExternalSecret makes, without a cluster"),
        ("explain", "say why an object is not Ready, and what to do"),
        ("diff", "print what the next sync of an ExternalSecret would change"),
        ("dev", "run an API server and the operator on this machine"),
    ):
        sub = commands.add_parser(name, help=help_text, description=help_text)
        if name == command:
            runners[name] = _load(name, sub)
    return parser, runners


def _load(name: str, parser: FlagParser) -> Run:
    match name:
        case "controller":
            from controllers.cli import controller

            controller.add_arguments(parser)
            return _checked(parser, controller.check, controller.run)
        case "crds":
            from controllers.cli import crds

            crds.add_arguments(parser)
            return lambda args, _stop: crds.run(args)
        case "render":
            from controllers.cli import render

            render.add_arguments(parser)
            return lambda args, _stop: render.run(args)
        case "explain":
            from controllers.cli import explain

            explain.add_arguments(parser)
            return lambda args, _stop: explain.run(args)
        case "diff":
            from controllers.cli import diff

            diff.add_arguments(parser)
            return lambda args, _stop: diff.run(args)
        case _:
            from controllers.cli import dev

            dev.add_arguments(parser)
            return _checked(parser, dev.check, dev.run)


def _checked(parser: FlagParser, check: Callable[[FlagParser, argparse.Namespace], None], run: Run) -> Run:
    def checked(args: argparse.Namespace, stop: asyncio.Event) -> Awaitable[int]:
        check(parser, args)
        return run(args, stop)

    return checked


class _ShowVersion(argparse.Action):
    """Prints the version; it is in the package's metadata, whose reader takes a fiftieth of a start to import."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"eso {_version()}")
        parser.exit()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("eso")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
