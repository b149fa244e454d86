"""The manager: start and stop order, leader election, health and metrics servers.

A *runnable* is anything with `start`. *Elected* runnables run on one replica at a time. The manager owns the cache, the
clients and the event sink, and hands them to controllers.
"""

from eso_core.manager.health import CheckResult, HealthCheck, HealthChecks
from eso_core.manager.leader import LeaderElector, LeaseClient
from eso_core.manager.manager import Manager
from eso_core.manager.options import LeaderElectionOptions, ManagerOptions, MetricsServerOptions
from eso_core.manager.runnable import Runnable
from eso_core.manager.signals import stop_on_signals

__all__ = [
    "CheckResult",
    "HealthCheck",
    "HealthChecks",
    "LeaderElectionOptions",
    "LeaderElector",
    "LeaseClient",
    "Manager",
    "ManagerOptions",
    "MetricsServerOptions",
    "Runnable",
    "stop_on_signals",
]
