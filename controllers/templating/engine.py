"""The front door of templates: compile once, render often, within a budget."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Final, Literal

from msgspec.structs import replace

from controllers.templating.budget import Budget, Meter, bound
from controllers.templating.functions.loading import load
from controllers.templating.gotemplate.builtins import BUILTINS, Builtin
from controllers.templating.gotemplate.calls import Callee
from controllers.templating.gotemplate.errors import FunctionError, LimitExceeded, TemplateError
from controllers.templating.gotemplate.program import build, execute
from controllers.templating.gotemplate.run import Program, Run
from controllers.templating.gotemplate.stacks import on_fresh_stack
from controllers.templating.gotemplate.values import StrMap, Value

__all__ = ["CACHE_BYTES", "MissingKeys", "Template", "cache_clear", "compile", "render", "render_async", "root_of"]

MissingKeys = Literal["error", "no value"]

CACHE_BYTES: Final = 32 * 1024 * 1024
"""What the compiled templates that are kept may weigh, roughly."""

# A compiled template weighs about this much for each byte of its text, and this much in any case.
_WEIGHT: Final = 40
_WEIGHT_AT_LEAST: Final = 4096

DEFAULT: Final = Budget()
# What a render may use before it leaves the event loop: a few milliseconds.
_INLINE: Final = Budget(output_bytes=256 * 1024, allocated_bytes=1024 * 1024, steps=3000, seconds=0.02)
_INLINE_BYTES: Final = 256 * 1024
_WORKERS: Final = 2
# Texts up to this size are compiled at once.
_INLINE_TEXT: Final = 8 * 1024
_SURROGATES: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")


@lru_cache(1)
def _functions() -> Mapping[str, Callee]:
    """Everything that templates can call."""
    nothing = Builtin(("value", "...value"), bool)
    functions: dict[str, Callee] = {"and": nothing, "or": nothing, "call": nothing}
    functions.update(BUILTINS)
    functions.update(load())
    return functions


# Now, and not while the first template is compiled: that may be on an event loop.
_functions()


class Template:
    """A compiled template text; safe to render from several threads at once."""

    __slots__ = ("_program",)

    def __init__(self, program: Program) -> None:
        self._program = program

    @property
    def heavy(self) -> bool:
        """Whether it calls a function that takes tens of milliseconds or more."""
        return self._program.heavy

    @property
    def pure(self) -> bool:
        """Whether the same data gives the same output: no function is random or asks the clock."""
        return self._program.pure

    def render(
        self, root: Value, *, budget: Budget = DEFAULT, missing_keys: MissingKeys = "error", meter: Meter | None = None
    ) -> bytes:
        """The output.

        Args:
            root: dot at the beginning, a value of Go's model: `StrMap` for the data of a Secret.
            budget: what it may use.
            missing_keys: "no value" prints `<no value>` for keys that a map does not have.
            meter: counts against the budget in place of a new one; whoever holds it can stop the render.

        Raises:
            TemplateError: it fails, or uses more than the budget has.
        """
        meter = meter or Meter(budget)
        work = partial(self._once, root, meter, missing_is_error=missing_keys == "error")
        try:
            return work(fresh=False)
        except RecursionError:  # the caller had used up the stack
            return on_fresh_stack(partial(work, fresh=True))

    def _once(self, root: Value, meter: Meter, *, missing_is_error: bool, fresh: bool) -> bytes:
        """The output.

        Raises:
            TemplateError: as `render`.
            RecursionError: the stack is used up, and was not a fresh one.
        """
        run = Run(self._program, root, meter, missing_is_error=missing_is_error)
        token = bound(meter)
        try:
            return execute(run, self._program)
        except LimitExceeded as limit:
            if limit.place.template:
                raise
            raise run.limited(str(limit)) from limit
        except TemplateError:
            raise
        except FunctionError as refused:
            raise run.fail(str(refused)) from refused
        except RecursionError:
            if not fresh:
                raise
            raise run.limited("values nest too deeply") from None
        except MemoryError:
            raise run.limited("there is not enough memory for a value") from None
        except Exception as unexpected:
            # What it says may hold values; its type does not.
            raise run.fail(f"a function failed in a way of its own ({type(unexpected).__name__})") from None
        finally:
            token.var.reset(token)


class _Cache:
    """Compiled templates by text, the least used forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, bytes, bytes, bytes], tuple[Template, int]] = OrderedDict()
        self.weight = 0

    def get(self, key: tuple[str, bytes, bytes, bytes]) -> Template | None:
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: tuple[str, bytes, bytes, bytes], template: Template) -> None:
        weight = _WEIGHT_AT_LEAST + _WEIGHT * len(key[1])
        with self._lock:
            if key in self._entries or weight > self._limit:
                return
            self._entries[key] = (template, weight)
            self.weight += weight
            while self.weight > self._limit:
                _, (_, gone) = self._entries.popitem(last=False)
                self.weight -= gone

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self.weight = 0


_cache = _Cache(CACHE_BYTES)


def cache_clear() -> None:
    """Forgets all compiled templates."""
    _cache.clear()


def compile(template: bytes | str, *, name: str = "tpl", left: str = "{{", right: str = "}}") -> Template:
    """The compiled form of a text, from the cache where it is known.

    Args:
        name: as error texts call it.
        left: the delimiter before an action; the empty text means the default.
        right: the delimiter after an action.

    Raises:
        ParseError: it is no template.
    """
    text = _encoded(template) if isinstance(template, str) else template
    opening, closing = _encoded(left) or b"{{", _encoded(right) or b"}}"
    key = (_encoded(name).decode("utf-8", "surrogateescape"), text, opening, closing)
    found = _cache.get(key)
    if found is not None:
        return found
    used: set[str] = set()
    functions = _functions()
    make = partial(build, key[0], text, functions, opening, closing, used.add)
    try:
        program = make()
    except RecursionError:  # the caller had used up the stack
        program = on_fresh_stack(make)
    called = [functions[word] for word in used]
    program.heavy = any(callee.heavy for callee in called)
    program.pure = all(callee.pure for callee in called)
    made = Template(program)
    _cache.put(key, made)
    return made


def _encoded(text: str) -> bytes:
    """UTF-8; escaped bytes are these bytes again, other surrogates U+FFFD."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def root_of(data: Mapping[str, bytes]) -> StrMap:
    """The data of a Secret as templates see it."""
    return StrMap([(_encoded(key), value) for key, value in data.items()])


def render(
    template: bytes | str,
    data: Mapping[str, bytes],
    *,
    name: str = "tpl",
    left: str = "{{",
    right: str = "}}",
    missing_keys: MissingKeys = "error",
    budget: Budget = DEFAULT,
) -> bytes:
    """What a template makes of the data.

    Args:
        template: the text.
        data: the root, `.`: keys and values.
        name: as error texts call the template.
        left: the delimiter before an action.
        right: the delimiter after an action.
        missing_keys: "error", or "no value" to print `<no value>`.
        budget: what the render may use.

    Raises:
        TemplateError: it cannot be parsed (ParseError) or rendered (ExecError), or takes too much (LimitExceeded).
    """
    compiled = compile(template, name=name, left=left, right=right)
    return compiled.render(root_of(data), budget=budget, missing_keys=missing_keys)


@lru_cache(1)
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_WORKERS)


async def render_async(
    template: bytes | str,
    data: Mapping[str, bytes],
    *,
    name: str = "tpl",
    left: str = "{{",
    right: str = "}}",
    missing_keys: MissingKeys = "error",
    budget: Budget = DEFAULT,
    root: Value = None,
) -> bytes:
    """As `render`, but the event loop goes on meanwhile.

    Short renders happen at once. What turns out to be long, calls heavy functions or has a lot of data starts over in one
    of two worker threads; when the caller is cancelled there, the render stops as well.

    Args:
        template, data, name, left, right, missing_keys, budget: as for `render`.
        root: `root_of(data)`, from who renders several templates over the same data; or another one, nothing of which can be
            changed by a template, with its values as data.

    Raises:
        TemplateError: as `render` does.
    """
    size = sum(map(len, data.values()))
    if size <= _INLINE_BYTES and len(template) <= _INLINE_TEXT:
        compiled = compile(template, name=name, left=left, right=right)
        if not compiled.heavy:
            try:
                known = root_of(data) if root is None else root
                return compiled.render(known, budget=_smaller(budget), missing_keys=missing_keys)
            except LimitExceeded:
                if _smaller(budget) == budget:
                    raise
    meter = Meter(budget)

    def work() -> bytes:
        meter.restart()
        compiled = compile(template, name=name, left=left, right=right)
        known = root_of(data) if root is None else root
        return compiled.render(known, missing_keys=missing_keys, meter=meter)

    context = contextvars.copy_context()
    try:
        return await asyncio.get_running_loop().run_in_executor(_workers(), partial(context.run, work))
    except asyncio.CancelledError:
        meter.stop()
        raise


@lru_cache(16)
def _smaller(budget: Budget) -> Budget:
    """What of the budget may be used on the event loop."""
    return replace(
        budget,
        output_bytes=min(budget.output_bytes, _INLINE.output_bytes),
        allocated_bytes=min(budget.allocated_bytes, _INLINE.allocated_bytes),
        steps=min(budget.steps, _INLINE.steps),
        seconds=min(budget.seconds, _INLINE.seconds),
    )
