"""Test kit: an in-process Kubernetes API server, fakes and a clock under the test's control.

* ``apiserver``: real HTTP on loopback, no etcd.
* ``clock``: ``FakeClock``, time that moves when the test says so.
* ``fakeclient``: ``FakeClient``, a client whose objects are in memory, with interceptors.
* ``faults``: ``FaultProxy``, connections that freeze, break or are refused; ``HttpFaultProxy``, answers that are failures, cut short,
  doubled or edited.
* ``leaks``: ``check_leaks``, what a test leaves behind.
* ``eventually``: ``eventually`` and ``consistently``, on any clock.
* ``envtest``: ``EnvTest``, a real etcd and kube-apiserver.
* ``pytest_plugin``: fixtures with a server, a namespace, a kubeconfig.
* ``manifests``: definitions out of files.

The modules are imported one by one: ``leaks`` needs pytest, the server much more than the clock.
"""
