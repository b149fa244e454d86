"""Flags are read the way the original's binary reads them."""

from __future__ import annotations

import pytest

from controllers.cli.flags import FlagParser, add_bool, address, duration, positive_int


def parser() -> FlagParser:
    made = FlagParser(prog="eso controller")
    add_bool(made, "--enable-flood-gate", True, "gate")
    add_bool(made, "--metrics-secure", False, "tls")
    made.add_argument("--store-requeue-interval", type=duration, default=300.0)
    made.add_argument("--concurrent", type=positive_int, default=None)
    made.add_argument("--metrics-addr", type=address, default=":8080")
    return made


@pytest.mark.parametrize(
    ("argv", "gate", "secure"),
    [
        ([], True, False),
        (["--metrics-secure"], True, True),
        (["--enable-flood-gate=false"], False, False),
        (["--enable-flood-gate=0", "--metrics-secure=T"], False, True),
    ],
)
def test_booleans_take_a_value_after_an_equals_sign_only(argv: list[str], gate: bool, secure: bool) -> None:
    """`--f` is true, `--f=false` is false."""
    args = parser().parse_args(argv)
    assert (args.enable_flood_gate, args.metrics_secure) == (gate, secure)


@pytest.mark.parametrize(
    ("argv", "seconds"), [(["--store-requeue-interval=1h30m"], 5400.0), (["--store-requeue-interval", "250ms"], 0.25)]
)
def test_values_follow_a_blank_or_an_equals_sign(argv: list[str], seconds: float) -> None:
    """Durations have Go's syntax."""
    assert parser().parse_args(argv).store_requeue_interval == seconds


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--store-requeue-interval=1d"], "1d"),
        (["--concurrent=0"], "0 is too small: use 1 or more"),
        (["--metrics-addr=8080"], "'8080' is no listen address"),
        (["--enable-flood-gate=maybe"], "'maybe' is not a boolean"),
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["--store-requeue=5m"], "unrecognized arguments"),
    ],
)
def test_a_bad_flag_ends_the_process_with_one_line_and_status_1(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the flag and what it takes; prefixes of flags are no flags."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(argv)
    assert ended.value.code == 1
    line = capsys.readouterr().err
    assert told in line
    assert line.count("\n") == 1
