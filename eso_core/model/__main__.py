"""`python -m eso_core.model MODULE:CLASS [...]`: the CustomResourceDefinition of resource classes, as YAML.

Several classes of one kind are its versions, the first is the stored one; each further kind is a document of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

import yaml

from eso_core.model.crd import crd_for
from eso_core.model.resource import Resource

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the definition; 1 with one line on stderr when a class cannot be found."""
    parser = argparse.ArgumentParser(prog="python -m eso_core.model", description=__doc__)
    parser.add_argument("classes", nargs="+", metavar="MODULE:CLASS", help="of one kind the stored version comes first")
    args = parser.parse_args(argv)
    try:
        classes = [_resource(name) for name in args.classes]
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        sys.stderr.write(f"making a definition: {error}\n")
        return 1
    kinds: dict[tuple[str, str], list[type[Resource]]] = {}
    for found in classes:
        kinds.setdefault((found.gvk.group, found.gvk.kind), []).append(found)
    made = [crd_for(*versions) for versions in kinds.values()]
    sys.stdout.write(yaml.safe_dump_all(made, sort_keys=False, width=120))
    return 0


def _resource(name: str) -> type[Resource]:
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"{name}: write MODULE:CLASS, for example website.api:Website")
    sys.path.insert(0, "")  # as for python -m: the modules of the current folder
    try:
        found = getattr(import_module(module), attribute)
    finally:
        sys.path.remove("")
    if not (isinstance(found, type) and issubclass(found, Resource)):
        raise TypeError(f"{name} is no Resource")
    return found


if __name__ == "__main__":
    sys.exit(main())
