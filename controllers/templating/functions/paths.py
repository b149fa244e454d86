"""Paths with slashes; the `os` family is the same, as the operator runs on Linux."""

from __future__ import annotations

from controllers.templating.functions.registry import function

__all__: list[str] = []

GROUP = "Paths"


def _clean(path: bytes) -> bytes:
    """The shortest path that names the same, by its text alone."""
    rooted = path.startswith(b"/")
    kept: list[bytes] = []
    for name in path.split(b"/"):
        if name == b"..":
            if kept and kept[-1] != b"..":
                kept.pop()
            elif not rooted:
                kept.append(name)
        elif name not in (b"", b"."):
            kept.append(name)
    joined = b"/".join(kept)
    return b"/" + joined if rooted else joined or b"."


@function(
    "clean", "string", "The shortest form of a path.", group=GROUP, example='{{ clean "/a/../b//c/." }}', result="/b/c"
)
def clean(path: bytes) -> bytes:
    return _clean(path)


@function("base", "string", "The last element of a path.", group=GROUP, example='{{ base "/a/b.txt" }}', result="b.txt")
def base(path: bytes) -> bytes:
    if not path:
        return b"."
    return path.rstrip(b"/").rpartition(b"/")[2] or b"/"


@function("dir", "string", "A path without its last element.", group=GROUP, example='{{ dir "/a/b.txt" }}', result="/a")
def directory(path: bytes) -> bytes:
    head, slash, _ = path.rpartition(b"/")
    return _clean(head + slash)


@function("ext", "string", "The suffix of a file name, from its last dot on.", group=GROUP,
          example='{{ ext "a.tar.gz" }}', result=".gz")  # fmt: skip
def extension(path: bytes) -> bytes:
    name = path.rpartition(b"/")[2]
    _, dot, suffix = name.rpartition(b".")
    return dot + suffix if dot else b""


@function(
    "isAbs", "string", "Whether a path begins with a slash.", group=GROUP, example='{{ isAbs "/a" }}', result="true"
)
def is_absolute(path: bytes) -> bool:
    return path.startswith(b"/")


for _name, _call, _doc, _example, _result in (
    ("osClean", clean, "The shortest form of a path.", '{{ osClean "a//b" }}', "a/b"),
    ("osBase", base, "The last element of a path.", '{{ osBase "/x/y" }}', "y"),
    ("osDir", directory, "A path without its last element.", '{{ osDir "a" }}', "."),
    ("osExt", extension, "The suffix of a file name, from its last dot on.", '{{ osExt ".bashrc" }}', ".bashrc"),
    ("osIsAbs", is_absolute, "Whether a path begins with a slash.", '{{ osIsAbs "a" }}', "false"),
):
    function(_name, "string", _doc, group=GROUP, example=_example, result=_result)(_call)
