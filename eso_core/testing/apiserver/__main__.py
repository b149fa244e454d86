"""``python -m eso_core.testing.apiserver``: a server of its own, until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from eso_core.testing.apiserver.options import ApiServerOptions
from eso_core.testing.apiserver.server import ApiServer
from eso_core.testing.apiserver.storage.statefile import StateError
from eso_core.testing.manifests import definitions


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eso_core.testing.apiserver", description=__doc__)
    parser.add_argument("--kubeconfig", required=True, type=Path, help="where to write the administrator's kubeconfig")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--no-tls", action="store_true", help="plain HTTP")
    parser.add_argument("--state", type=Path, help="file that keeps the objects over restarts")
    parser.add_argument("--audit-log", type=Path, help="file that gets one JSON line per request")
    parser.add_argument(
        "--crds",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="files and folders of CustomResourceDefinition manifests to install",
    )
    return parser.parse_args(argv)


async def _run(arguments: argparse.Namespace) -> None:
    options = ApiServerOptions(
        port=arguments.port,
        tls=not arguments.no_tls,
        state_file=arguments.state,
        audit_log=arguments.audit_log,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with await ApiServer.start(options) as server:
        for manifest in definitions(arguments.crds):
            server.install(manifest)
        server.write_kubeconfig(arguments.kubeconfig)
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stop.wait()


def main(argv: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    arguments = _arguments(argv)
    try:
        asyncio.run(_run(arguments))
    except (OSError, ValueError, StateError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
