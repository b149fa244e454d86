"""A client without a server: the verbs of ``Client`` on objects in memory, for tests of reconcilers."""

from eso_core.testing.fakeclient.client import FakeClient
from eso_core.testing.fakeclient.interceptor import Interceptor
from eso_core.testing.fakeclient.memory import declare

__all__ = ["FakeClient", "Interceptor", "declare"]
