"""Budgets, nesting without end, the cache of compiled templates, and renders that leave the event loop."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable

import pytest

from controllers.templating import Budget, ExecError, LimitExceeded, compile, engine, render, render_async
from controllers.templating.budget import Meter, allocate, metered
from controllers.templating.gotemplate import stacks
from controllers.templating.gotemplate.values import StrMap


def limit(template: str, data: dict[str, bytes] | None = None, **budget: float) -> str:
    """The text of the refusal."""
    with pytest.raises(LimitExceeded) as caught:
        render(template, data or {}, budget=Budget(**budget))  # type: ignore[arg-type]
    return str(caught.value)


def test_output_is_bounded() -> None:
    """With the place where it became too much."""
    assert limit("{{ range 100 }}{{ $.v }}{{ end }}", {"v": b"x" * 100}, output_bytes=5000) == (
        'template: tpl:1:18: executing "tpl" at <{{$.v}}>: the output exceeds the limit of 5000 bytes'
    )
    assert "the output exceeds" in limit("{{ range 100 }}text{{ end }}", output_bytes=300)


def test_steps_are_bounded() -> None:
    """Each turn of a loop, each action, call and template is one at least."""
    assert "the template takes more than 1000 steps" in limit("{{ range 1000000000 }}{{ end }}", steps=1000)
    recursion = '{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}'
    assert "the template takes more than 1000 steps" in limit(recursion, steps=1000)


def test_time_is_bounded() -> None:
    """The clock is looked at while the template runs."""
    assert "the template takes longer than 0 s" in limit("{{ range 1000000000 }}{{ end }}", seconds=0)


@pytest.mark.parametrize(
    "template",
    [
        '{{ repeat 1000000000 "x" }}',
        "{{ until 1000000000 }}",
        '{{ printf "%1000000s" "x" }}{{ range 40 }}{{ printf "%1000000s" "x" }}{{ end }}',
        "{{ randAscii 1000000000 }}",
        '{{ indent 1000000000 "x" }}',
        "{{ seq 1 1000000000 }}",
        "{{ $x := `x` }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}",
        "{{ $x := list 1 }}{{ range 100 }}{{ $x = concat $x $x }}{{ end }}",
        "{{ $l := list }}{{ range 100000 }}{{ $l = append $l (repeat 1000000 `x`) }}{{ end }}",
    ],
)
def test_values_are_refused_before_they_fill_the_memory(template: str) -> None:
    """Large ones at once, many of them together."""
    started = time.process_time()
    with pytest.raises(LimitExceeded):
        render(template, {})
    assert time.process_time() - started < 5


def test_many_small_maps_count() -> None:
    """Dicts that hold each other are all kept."""
    assert "exceed 1000000 bytes together" in limit(
        "{{ $l := list }}{{ range 100000 }}{{ $l = dict `a` $l }}{{ end }}", allocated_bytes=1_000_000
    )


def test_shuffling_looks_at_the_clock() -> None:
    """It takes its time for each character."""
    assert "longer than 0.05 s" in limit('{{ repeat 8000000 "a" | shuffle }}', seconds=0.05)


def test_a_used_up_budget_can_be_told() -> None:
    """The text of the error, which quotes the template, does not count."""
    assert 'executing "tpl" at <1>: the values of the template exceed 100 bytes together' in limit(
        "{{ range 100 }}{{ append (until 9) 1 }}{{ end }}", allocated_bytes=100
    )


def test_functions_ask_the_meter_of_the_render_that_runs() -> None:
    """Outside of a render nothing is counted."""
    allocate(1 << 40)
    with metered(Budget(output_bytes=100)), pytest.raises(LimitExceeded):
        allocate(101)


DEEP: dict[str, tuple[str, bytes]] = {
    "conditions": ("{{if true}}" * 1500 + "x" + "{{end}}" * 1500, b"x"),
    "with": ("{{with 1}}" * 1000 + "{{.}}" + "{{end}}" * 1000, b"1"),
    "ranges": ("{{range 1}}" * 1000 + "{{.}}" + "{{end}}" * 1000, b"0"),
    "else if": ("{{if false}}" + "{{else if false}}" * 5000 + "{{else}}z{{end}}", b"z"),
    "parentheses": ("{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", b"1"),
    "calls": ("{{" + "(print " * 1000 + "1" + ")" * 1000 + "}}", b"1"),
    "and": ("{{" + "(and 1 " * 1000 + "7" + ")" * 1000 + "}}", b"7"),
    "recursion": ('{{define "r"}}{{if .}}{{template "r" (sub . 1)}}{{end}}{{.}}{{end}}{{template "r" (int64 3000)}}',
                  b"".join(b"%d" % number for number in range(3001))),
}  # fmt: skip


@pytest.mark.parametrize("case", DEEP)
def test_nesting_is_as_deep_as_templates_like_it(case: str) -> None:
    """Whatever nests: the stack of Python is no limit, and the recursion limit of the process stays as it is."""
    template, result = DEEP[case]
    before = sys.getrecursionlimit()
    assert render(template, {}) == result
    assert sys.getrecursionlimit() == before


def test_templates_call_each_other_a_hundred_thousand_levels_deep() -> None:
    """And not one more."""
    template = '{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}'
    with pytest.raises(ExecError) as caught:
        render(template, {}, budget=Budget(seconds=60))
    assert str(caught.value).endswith('executing "r" at <{{template "r" .}}>: exceeded maximum template depth (100000)')


def test_errors_far_down_are_told_with_their_place() -> None:
    """They cross the stacks on their way."""
    template = "{{" + "(print " * 500 + "(upper 1)" + ")" * 500 + "}}"
    with pytest.raises(ExecError) as caught:
        render(template, {})
    assert caught.value.place.message == "expected string; found 1"
    assert caught.value.place.column == 2 + 500 * 7 + 7


def test_a_deep_caller_may_render() -> None:
    """Even if most of the stack is used up already."""

    def deeper(levels: int) -> bytes:
        return (
            deeper(levels - 1) if levels else render("{{ if .a }}{{ print (print (print .a)) }}{{ end }}", {"a": b"1"})
        )

    used = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    assert deeper(sys.getrecursionlimit() - used - 30) == b"1"


def test_no_more_threads_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that gives no threads bounds the nesting."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(stacks.threading.Thread, "start", refuse)
    with pytest.raises(LimitExceeded, match="nests deeper than this system has threads for"):
        render("{{ " + "(" * 300 + "2" + ")" * 300 + " }}", {})


def test_values_may_hold_themselves() -> None:
    """Printing such a dict ends."""
    with pytest.raises(LimitExceeded):
        render('{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $d }}', {})


def test_foreign_exceptions_do_not_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that fails in a way of its own is an error of the template; what it says may hold values and is not told."""
    faults: list[tuple[BaseException, type[ExecError]]] = [
        (OverflowError("secret"), ExecError),
        (UnicodeDecodeError("utf-8", b"secret", 0, 1, "bad"), ExecError),
        (RecursionError("secret"), LimitExceeded),
        (MemoryError("secret"), LimitExceeded),
    ]
    for fault, kind in faults:

        def fail(*_: object, fault: BaseException = fault) -> object:
            raise fault

        functions = dict(engine._functions())
        functions["upper"] = engine.Builtin(("any",), fail)
        monkeypatch.setattr(engine, "_functions", lambda functions=functions: functions)
        engine.cache_clear()
        with pytest.raises(kind) as caught:
            render("{{ upper .a }}", {"a": b"1"})
        assert "secret" not in str(caught.value)
        assert caught.value.place.line == 1
    engine.cache_clear()


def test_compiled_templates_are_kept() -> None:
    """The same text, name and delimiters are compiled once."""
    first = compile("{{ .a }}1", name="n")
    assert compile(b"{{ .a }}1", name="n") is first
    assert compile("{{ .a }}1", name="m") is not first
    assert compile("{{ .a }}1", name="n", left="<<", right=">>") is not first


def test_the_cache_is_bounded_by_weight() -> None:
    """The least used templates go first; those that are too large are not kept."""
    cache = engine._Cache(3 * 4096 + 3 * 40)
    made = [compile(f"{number}") for number in range(4)]
    for number, template in enumerate(made):
        cache.put(("n", b"%d" % number, b"", b""), template)
        assert cache.get(("n", b"0", b"", b"")) is made[0]
    assert [cache.get(("n", b"%d" % number, b"", b"")) for number in range(4)] == [made[0], None, made[2], made[3]]
    cache.put(("n", b"x" * 10_000, b"", b""), made[0])
    assert cache.get(("n", b"x" * 10_000, b"", b"")) is None
    cache.clear()
    assert cache.weight == 0


def test_one_template_renders_in_several_threads_at_once() -> None:
    """Renders share nothing but the closures."""
    template = compile("{{ $x := .v }}{{ range 200 }}{{ $x = printf `%s%d` $.v . }}{{ end }}{{ $x }}")
    results: dict[int, bytes] = {}

    def work(number: int) -> None:
        results[number] = template.render(StrMap({b"v": b"%d-" % number}))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: b"%d-199" % number for number in range(8)}


def test_a_template_knows_what_it_calls() -> None:
    """Heavy functions take long, impure ones give something else each time."""
    assert (compile("{{ .a | upper }}").heavy, compile("{{ .a | upper }}").pure) == (False, True)
    assert compile('{{ genPrivateKey "rsa" }}').heavy
    assert not compile("{{ uuidv4 }}").pure


async def where(template: str, data: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, list[bool]]:
    """The result, and for each time that rendering ran whether it was in the thread of the loop."""
    loop_thread = threading.current_thread()
    seen: list[bool] = []
    original: Callable[..., bytes] = engine.execute

    def watch(*args: object) -> bytes:
        seen.append(threading.current_thread() is loop_thread)
        return original(*args)

    monkeypatch.setattr(engine, "execute", watch)
    return await render_async(template, data), seen


async def test_short_renders_happen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the thread of the event loop, without a switch."""
    assert await where("{{ .a | upper }}", {"a": b"x"}, monkeypatch) == (b"X", [True])


async def test_long_renders_start_over_in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they have used what an event loop can spare."""
    result, seen = await where("{{ range 10000 }}{{ end }}done", {}, monkeypatch)
    assert (result, seen) == (b"done", [True, False])


@pytest.mark.parametrize(
    ("template", "data"),
    [('{{ derivePassword 1 "pin" "p" "u" "s" | len }}', {}), ("{{ len .a }}", {"a": b"x" * 300_000}), ("{{ 1 }}" * 2000, {})],
)  # fmt: skip
async def test_heavy_functions_much_data_and_long_texts_go_to_a_worker_at_once(
    template: str, data: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of them runs on the event loop."""
    _, seen = await where(template, data, monkeypatch)
    assert seen == [False]


async def test_errors_of_a_worker_are_those_of_the_template() -> None:
    """Whatever happens there is an error with a place."""
    with pytest.raises(ExecError, match='map has no entry for key "nope"'):
        await render_async("{{ range 10000 }}{{ end }}{{ .nope }}", {})
    with pytest.raises(LimitExceeded, match="more than 5000 steps"):
        await render_async("{{ range 100000 }}{{ end }}", {}, budget=Budget(steps=5000))


async def test_the_loop_goes_on_while_a_hostile_template_runs() -> None:
    """Its turns come many times before the render has spent its time."""
    turns = 0
    rendering = asyncio.ensure_future(render_async("{{ range 1000000000 }}{{ end }}", {}, budget=Budget(seconds=0.5)))
    while not rendering.done():
        turns += 1
        await asyncio.sleep(0.005)
    with pytest.raises(LimitExceeded):
        rendering.result()
    assert turns > 10


async def test_a_cancelled_render_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is free again long before the budget is spent."""
    loop, working = asyncio.get_running_loop(), asyncio.Event()
    original: Callable[..., bytes] = engine.execute

    def watch(*args: object) -> bytes:
        loop.call_soon_threadsafe(working.set)
        return original(*args)

    monkeypatch.setattr(engine, "execute", watch)
    endless = Budget(steps=1 << 60, seconds=60)
    renders = [
        asyncio.ensure_future(render_async("{{ range 1000000000 }}{{ end }}", {}, budget=endless)) for _ in range(2)
    ]
    await working.wait()
    for rendering in renders:
        rendering.cancel()
    assert [type(result) for result in await asyncio.gather(*renders, return_exceptions=True)] == [
        asyncio.CancelledError
    ] * 2
    async with asyncio.timeout(10):
        results = await asyncio.gather(*(render_async("{{ range 10000 }}{{ end }}ok", {}) for _ in range(4)))
    assert results == [b"ok"] * 4


def test_a_stopped_meter_ends_the_render() -> None:
    """At its next step."""
    meter = Meter(Budget())
    meter.stop()
    with pytest.raises(LimitExceeded, match="the render was stopped"):
        compile("{{ print 1 }}").render(StrMap(), meter=meter)
