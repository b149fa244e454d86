"""`eso dev`: an API server and the operator in one process, on this machine, without a cluster."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
from collections.abc import Iterable
from pathlib import Path

import yaml

from controllers.api import ClusterSecretStore, ExternalSecret, SecretStore
from controllers.cli import manifests
from controllers.cli.board import Board, board_for, row_of
from controllers.cli.crds import install
from controllers.cli.devstate import DevState, DevStateError
from controllers.cli.flags import FlagParser, address, positive_int
from controllers.cli.manifests import Manifest, ManifestError
from controllers.operator import Operator, OperatorOptions
from eso_core.aio import TaskScope
from eso_core.cache import CachedObject
from eso_core.client import Client, config_from_kubeconfig
from eso_core.log import configure_logging
from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer

__all__ = ["add_arguments", "check", "run"]

_SHOWN = (ExternalSecret, SecretStore, ClusterSecretStore)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `eso dev` to `parser`."""
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        metavar="PATH",
        help="apply this manifest or folder of manifests, - for the standard input (repeatable)",
    )
    parser.add_argument("--dir", default=".eso-dev", metavar="DIR", help="state directory (default .eso-dev)")
    parser.add_argument("--port", type=int, default=0, help="port of the API server (default: a free one)")
    parser.add_argument("--api-only", action="store_true", help="serve the API with the CRDs, without the operator")
    parser.add_argument("--audit-log", metavar="FILE", help="write one JSON line for each API request")
    parser.add_argument(
        "--metrics-addr", type=address, default="0", help="listen address of the operator's /metrics (default: none)"
    )
    parser.add_argument(
        "--live-addr",
        type=address,
        default="0",
        help="listen address of the operator's /healthz and /readyz (default: none)",
    )
    parser.add_argument(
        "--concurrent", type=positive_int, default=None, help="reconciles at once, per controller (default: 16)"
    )
    parser.add_argument(
        "--loglevel",
        choices=("debug", "info", "warn", "error"),
        default="info",
        help="level of the log in DIR/eso.log (default info)",
    )


def check(parser: FlagParser, args: argparse.Namespace) -> None:
    """End the process with one line if a flag makes no sense."""
    if not 0 <= args.port <= 65535:
        parser.error(f"--port {args.port} is no port: use 1 to 65535, or leave it out for a free one")


async def run(args: argparse.Namespace, stop: asyncio.Event) -> int:
    """Serve until `stop` is set; returns the exit status."""
    wanted = manifests.load(args.filename)
    try:
        with DevState(Path(args.dir)) as state:
            return await _serve(args, state, wanted, stop)
    except DevStateError as error:
        raise ManifestError(str(error)) from error


async def _serve(args: argparse.Namespace, state: DevState, wanted: list[Manifest], stop: asyncio.Event) -> int:
    configure_logging(level=args.loglevel, file=state.log_file)
    server = await ApiServer.start(
        ApiServerOptions(
            port=args.port, state_file=state.state_file, audit_log=Path(args.audit_log) if args.audit_log else None
        )
    )
    try:
        board = board_for()
        async with Client(config_from_kubeconfig(server.kubeconfig()), user_agent="eso-dev") as client:
            await install(client)
            # Only now: whoever waits for the file or the line wants to apply something.
            state.write(state.kubeconfig, yaml.safe_dump(server.kubeconfig()).encode())
            board.say(f"API server at {server.url}, kubeconfig in {state.kubeconfig}")
            if args.api_only:
                await _apply(client, wanted, board)
                await stop.wait()
                return 0
            return await _operate(args, state, wanted, stop, client, board)
    finally:
        await server.aclose()


async def _operate(
    args: argparse.Namespace, state: DevState, wanted: list[Manifest], stop: asyncio.Event, client: Client, board: Board
) -> int:
    options = OperatorOptions(metrics_addr=args.metrics_addr, health_addr=args.live_addr, concurrent=args.concurrent)
    operator = Operator(client.config, options)
    for kind in _SHOWN:
        operator.manager.cache.informer(kind).add_handler(_Rows(kind.gvk.kind, board))
    async with TaskScope("eso dev") as scope:
        running = scope.spawn(operator.run(stop), name="operator")
        try:
            applied = await _apply(client, wanted, board)
            for line in _hints(state.kubeconfig, applied):
                board.say(line)
            board.start()
            await running
        except BaseException:
            stop.set()
            raise
        finally:
            board.stop()
    return 0


async def _apply(client: Client, wanted: list[Manifest], board: Board) -> list[Manifest]:
    """Apply what was asked for; what is refused is said and does not stop the rest, nor the server. Returns what is there now."""
    applied = await manifests.apply_all(client, wanted)
    for title in applied.done:
        board.say(f"applied {title}")
    for failure in applied.failed:
        board.say(f"not applied: {failure}")
    return applied.objects


def _hints(kubeconfig: Path, wanted: Iterable[Manifest]) -> list[str]:
    """Three commands to try in a second terminal, about the first ExternalSecret that was applied."""
    kubectl = f"kubectl --kubeconfig {shlex.quote(os.path.relpath(kubeconfig))}"
    first = next((m.body for m in wanted if m.body["kind"] == "ExternalSecret"), None)
    if first is None:
        commands = [
            f"{kubectl} api-resources --api-group=external-secrets.io",
            f"{kubectl} explain externalsecret.spec",
            f"{kubectl} get externalsecrets -A -w",
        ]
    else:
        name = first["metadata"]["name"]
        namespace = first["metadata"].get("namespace", "default")
        place = "" if namespace == "default" else f" -n {namespace}"
        target = (first.get("spec", {}).get("target") or {}).get("name") or name
        commands = [
            f"{kubectl} get externalsecrets,secretstores -A",
            f"{kubectl} get secret {target}{place} -o yaml",
            f"{kubectl} describe externalsecret {name}{place}",
        ]
    return ["", "Try in a second terminal:", *(f"  {c}" for c in commands), ""]


class _Rows:
    """Feeds the board from an informer."""

    def __init__(self, kind: str, board: Board) -> None:
        self._kind = kind
        self._board = board

    def on_add(self, obj: CachedObject, is_initial_list: bool) -> None:
        self._board.show(row_of(self._kind, obj.decode()))

    def on_update(self, old: CachedObject, new: CachedObject) -> None:
        self._board.show(row_of(self._kind, new.decode()))

    def on_delete(self, obj: CachedObject, tombstone: bool) -> None:
        self._board.remove(row_of(self._kind, obj.decode()))
