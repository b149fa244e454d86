"""A real kube-apiserver with a real etcd, for tests that must not depend on an imitation.

`EnvTest.start` finds the binaries, starts both with certificates of its own, and waits until they answer. There are no
controllers and no scheduler: nothing is garbage collected, namespaces stay Terminating, Deployments make no Pods. With
``USE_EXISTING_CLUSTER=true`` it uses the cluster of the current context instead.

=================  ==========================================================================
``environment``    `EnvTest`, `EnvTestOptions`: start, users, definitions, webhooks, stop
``binaries``       where the binaries are; the command lines
``process``        a child process: start, readiness, stop, and what is left at exit
``pki``            the certificate authority, serving and client certificates
=================  ==========================================================================
"""

from eso_core.testing.envtest.binaries import EnvTestError
from eso_core.testing.envtest.environment import EnvTest, EnvTestOptions, local_webhooks

__all__ = ["EnvTest", "EnvTestError", "EnvTestOptions", "local_webhooks"]
