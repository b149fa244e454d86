"""The work queue against a model of its state table."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eso_core.queue import QueueOptions, WorkQueue

KEYS = st.sampled_from("abcdef")
PRIORITIES = st.integers(-2, 2)
DELAYS = st.integers(1, 20)


class StepClock:
    """Time that only the test moves; timers fire when it does."""

    def __init__(self) -> None:
        self.time = 0.0
        self.timers: list[tuple[float, list[object]]] = []

    def monotonic(self) -> float:
        return self.time

    def call_later(self, seconds: float, fn: object) -> object:
        cell = [fn]
        self.timers.append((self.time + seconds, cell))

        class Handle:
            def cancel(self) -> None:
                cell.clear()

        return Handle()

    def advance(self, seconds: float) -> None:
        self.time += seconds
        due = [cell for when, cell in self.timers if when <= self.time]
        self.timers = [(when, cell) for when, cell in self.timers if when > self.time and cell]
        for cell in due:
            if cell:
                cell[0]()  # type: ignore[operator]


class QueueMachine(RuleBasedStateMachine):
    """Q-01, Q-02, P-34: states, priorities and due times equal a simple model's; the order is checked at each `get`."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = StepClock()
        self.queue: WorkQueue[str] = WorkQueue(
            self.clock,  # type: ignore[arg-type]
            options=QueueOptions(fair_share=0, raise_after=0),
        )
        self.ready: dict[str, tuple[int, int]] = {}  # priority, turn
        self.waiting: dict[str, tuple[float, int]] = {}  # due, priority
        self.running: dict[str, tuple[float, int] | None] = {}  # remembered due, priority
        self.turn = 0
        self.count = 0

    def make_ready(self, key: str, priority: int) -> None:
        self.turn += 1
        self.ready[key] = (priority, self.turn)

    def model_add(self, key: str, due: float, priority: int) -> None:
        if key in self.running:
            old = self.running[key]
            self.running[key] = (due, priority) if old is None else (min(old[0], due), max(old[1], priority))
        elif key in self.ready:
            if priority > self.ready[key][0]:
                self.make_ready(key, priority)
        else:
            old = self.waiting.pop(key, None)
            if old is not None:
                due, priority = min(due, old[0]), max(priority, old[1])
            if due <= self.clock.time:
                self.make_ready(key, priority)
            else:
                self.waiting[key] = (due, priority)

    @rule(key=KEYS, priority=PRIORITIES)
    def add(self, key: str, priority: int) -> None:
        self.queue.add(key, priority=priority)
        self.model_add(key, 0.0, priority)

    @rule(key=KEYS, delay=DELAYS, priority=PRIORITIES)
    def add_after(self, key: str, delay: int, priority: int) -> None:
        # No two keys fall due at the same instant, so that their order needs no model.
        self.count += 1
        exact = delay + self.count * 1e-4
        self.queue.add_after(key, exact, priority=priority)
        self.model_add(key, self.clock.time + exact, priority)

    @rule()
    def get(self) -> None:
        taken = self.queue.get_nowait()
        if not self.ready:
            assert taken is None
            return
        assert taken is not None
        priority = max(p for p, _ in self.ready.values())
        level = {turn: key for key, (p, turn) in self.ready.items() if p == priority}
        assert taken.key == level[min(level)]
        assert taken.priority == priority
        del self.ready[taken.key]
        self.running[taken.key] = None

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        again = self.running.pop(key)
        self.queue.done(key)
        if again is not None:
            self.model_add(key, again[0], again[1])

    @rule(seconds=st.integers(1, 15))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        for due, key in sorted((due, key) for key, (due, _) in self.waiting.items()):
            if due <= self.clock.time:
                self.make_ready(key, self.waiting.pop(key)[1])

    @invariant()
    def same_states(self) -> None:
        stats = self.queue.statistics()
        assert stats.ready == len(self.ready)
        assert stats.waiting == len(self.waiting)
        assert stats.processing == len(self.running)
        assert set(self.queue._ready) == set(self.ready)
        assert {key: (e[0], e[3]) for key, e in self.queue._waiting.items()} == self.waiting


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueModel = QueueMachine.TestCase
