"""`eso crds`: prints, writes, checks or installs the CustomResourceDefinitions."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import yaml

from controllers.api import all_crds
from eso_core.client import Client, load_config
from eso_core.meta import JsonObject, ObjectKey, is_condition_true
from eso_core.meta.errors import EsoCoreError, Invalid, NotFound, UnsupportedMediaType
from eso_core.meta.wellknown import CRD

__all__ = ["DefinitionsNotServed", "add_arguments", "install", "run", "to_yaml"]

_FIELD_OWNER = "eso"
_ESTABLISHED_WITHIN = 30.0


class DefinitionsNotServed(EsoCoreError):
    """The server took the definitions but does not serve all of their kinds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `eso crds` to `parser`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--apply", action="store_true", help="install them on the cluster of the kubeconfig")
    what.add_argument("--output-dir", metavar="DIR", help="write one file for each into this folder")
    what.add_argument("--check", metavar="DIR", help="fail if the files of this folder are not what would be written")
    parser.add_argument("--kubeconfig", help="kubeconfig file for --apply")
    parser.add_argument("--context", help="context of the kubeconfig")


async def run(args: argparse.Namespace) -> int:
    """Do what the flags ask for; returns the exit status."""
    if args.apply:
        config = await load_config(args.kubeconfig, args.context)
        async with Client(config, user_agent="eso-crds") as client:
            for name in await install(client):
                print(f"customresourcedefinition/{name} applied")
        return 0
    files = {f"{crd['spec']['group']}_{crd['spec']['names']['plural']}.yaml": to_yaml(crd) for crd in all_crds()}
    if args.check:
        return _check(Path(args.check), files)
    if args.output_dir:
        folder = Path(args.output_dir)
        await asyncio.to_thread(_write, folder, files)
        return 0
    sys.stdout.write("---\n".join(files.values()))
    return 0


async def install(client: Client) -> list[str]:
    """Apply all CRDs and wait until the server serves them; returns their names.

    Definitions of an older release are replaced; the objects stay. When cancelled, some of them may be applied.

    Raises:
        ApiError: the server refused one.
        DefinitionsNotServed: the server did not establish them within 30 s.
    """
    names = []
    for crd in all_crds():
        await _put(client, crd)
        names.append(crd["metadata"]["name"])
    waiting = list(names)
    try:
        async with client.clock.timeout(_ESTABLISHED_WITHIN):
            while waiting:
                if _established(await client.get(CRD, ObjectKey("", waiting[0]))):
                    waiting.pop(0)
                else:
                    await client.clock.sleep(0.05)
    except TimeoutError as error:
        raise DefinitionsNotServed(
            f"installing the CustomResourceDefinitions: not served after {_ESTABLISHED_WITHIN:.0f} s: {', '.join(waiting)}: "
            "see their conditions with: kubectl get crd -o yaml"
        ) from error
    return names


async def _put(client: Client, crd: JsonObject) -> None:
    try:
        await client.apply(crd, _FIELD_OWNER, force=True)
        return
    except (Invalid, UnsupportedMediaType) as error:
        refusal = error
    # Apply removes only what we applied before. What an older release left in a definition, such as a conversion webhook, does not
    # go well with ours and must give way. A server without apply is served by the same writes.
    try:
        live = await client.get(CRD, ObjectKey("", crd["metadata"]["name"]))
    except NotFound:
        if isinstance(refusal, Invalid):
            raise refusal from None
        await client.create(crd, field_manager=_FIELD_OWNER)
        return
    metadata = live["metadata"]
    labels = {**(metadata.get("labels") or {}), **crd["metadata"]["labels"]}
    replaced = {**live, "metadata": {**metadata, "labels": labels}, "spec": crd["spec"]}
    await client.update(replaced, field_manager=_FIELD_OWNER)


def to_yaml(crd: JsonObject) -> str:
    """The CRD as a YAML document."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(crd, Dumper=dumper, sort_keys=True, width=130, allow_unicode=True)


def _established(crd: JsonObject) -> bool:
    return is_condition_true((crd.get("status") or {}).get("conditions") or [], "Established")


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def _check(folder: Path, files: dict[str, str]) -> int:
    stale = [
        name for name, text in files.items() if not (folder / name).exists() or (folder / name).read_text() != text
    ]
    stale += [p.name for p in folder.glob("*.yaml") if p.name not in files]
    if stale:
        sys.stderr.write(
            f"eso crds: {', '.join(sorted(stale))} in {folder} differ from the models: run eso crds --output-dir {folder}\n"
        )
        return 1
    return 0
