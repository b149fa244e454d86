"""A controller library for Kubernetes on asyncio: client, cache, work queue, controllers, manager.

The packages, from the ground up: ``aio`` (time and tasks), ``meta`` (names, selectors, errors), ``model`` (typed
resources), ``client`` (the API server), ``cache`` (informers), ``queue``, ``controller``, ``manager``.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
