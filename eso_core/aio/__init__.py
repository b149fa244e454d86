"""Time, tasks and waiting: the ground everything asynchronous stands on.

* ``Clock`` gives the time and every wait; ``SystemClock`` is the real one. Code that waits takes a clock, so tests can
  run it under a fake clock without sleeping.
* ``TaskScope`` owns tasks. It is the only way to start one: each task has a scope that awaits it.
* ``Backoff`` yields growing delays, ``SingleFlight`` makes concurrent callers share one call, ``shielded`` runs a
  bounded cleanup to its end although the caller is being cancelled.
"""

from eso_core.aio.backoff import Backoff
from eso_core.aio.clock import Clock, SystemClock, Timer
from eso_core.aio.scope import TaskScope, shielded
from eso_core.aio.singleflight import SingleFlight

__all__ = ["Backoff", "Clock", "SingleFlight", "SystemClock", "TaskScope", "Timer", "shielded"]
