"""Test kit: an in-process Kubernetes API server, fakes and a clock under the test's control."""
