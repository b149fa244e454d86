"""How long templates take: absolute, and as a ratio to joining the same text with an f-string.

python tests/benchmarks/templating.py
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from controllers.templating import compile, render
from controllers.templating.engine import cache_clear

CONNECTION = "postgres://{{ .user }}:{{ .password | urlquery }}@{{ .host }}:{{ .port }}/{{ .database }}"
DOTENV = "{{ range $key, $value := . }}{{ $key | upper }}={{ $value | quote }}\n{{ end }}"

FIELDS = {"user": b"app", "password": b"p@ss w%rd", "host": b"db.example.com", "port": b"5432", "database": b"shop"}
KEYS = {f"key_{number:02}": f"value {number}".encode() for number in range(30)}


def best(work: Callable[[], object], number: int) -> float:
    """Microseconds per call, the best of five rounds."""
    return min(timeit.repeat(work, number=number, repeat=5)) / number * 1e6


def join_connection() -> str:
    text = {key: value.decode() for key, value in FIELDS.items()}
    return f"postgres://{text['user']}:{text['password']}@{text['host']}:{text['port']}/{text['database']}"


def join_dotenv() -> str:
    return "".join(f'{key.upper()}="{value.decode()}"\n' for key, value in KEYS.items())


def first_compile(template: str) -> None:
    cache_clear()
    compile(template)


def report(what: str, took: float, target: float, plain: float | None = None) -> None:
    ratio = f", {took / plain:.1f} times an f-string join ({plain:.2f} µs)" if plain else ""
    print(f"{what}: {took:.1f} µs (target {target:g} µs){ratio}")


def main() -> None:
    render(CONNECTION, FIELDS)
    report(
        "connection string of five fields",
        best(lambda: render(CONNECTION, FIELDS), 5000),
        30,
        best(join_connection, 20000),
    )
    report("dotenv of thirty keys by range", best(lambda: render(DOTENV, KEYS), 1000), 250, best(join_dotenv, 5000))
    report("first compile of the connection string", best(lambda: first_compile(CONNECTION), 200), 2000)
    report("first compile of the dotenv", best(lambda: first_compile(DOTENV), 200), 2000)
    long = DOTENV * 10
    report("first compile of ten dotenvs", best(lambda: first_compile(long), 20), 20000)


if __name__ == "__main__":
    main()
