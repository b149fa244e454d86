"""Command line flags as the original's binary reads them: long only, `--f=v` or `--f v`, booleans `--f` or `--f=false`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from eso_core.meta import parse_duration

__all__ = ["FlagParser", "add_bool", "address", "duration", "positive_int"]

_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}


class FlagParser(argparse.ArgumentParser):
    """An argument parser that ends a bad command line with one line and exit status 1."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {message}; see {self.prog} --help\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        if message:
            sys.stderr.write(message)
        raise SystemExit(status)


class _GoBool(argparse.Action):
    """`--flag`, `--flag=true`, `--flag=false`: a bare word after the flag is never its value."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if values is None or values in _TRUE:
            value = True
        elif values in _FALSE:
            value = False
        else:
            raise argparse.ArgumentError(self, f"{values!r} is not a boolean: use true or false")
        setattr(namespace, self.dest, value)


def add_bool(parser: argparse._ActionsContainer, flag: str, default: bool, help: str) -> None:
    """Add a boolean flag with Go's spelling rules."""
    shown = f"{help} (default {str(default).lower()})"
    parser.add_argument(flag, action=_GoBool, nargs="?", const=None, default=default, metavar="BOOL", help=shown)


def duration(text: str) -> float:
    """A duration in Go syntax, as seconds; for `argparse`."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}: write it like 30s, 5m or 1h30m") from error


def positive_int(text: str) -> int:
    """An integer of at least 1; for `argparse`."""
    try:
        value = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small: use 1 or more")
    return value


def address(text: str) -> str:
    """A listen address `host:port` or `:port`, or `0` for none; for `argparse`. Kept as text, checked here."""
    if text in ("", "0"):
        return "0"
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or "/" in host:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no listen address: write it like :8080 or 127.0.0.1:8080, or 0 for none"
        )
    return text
