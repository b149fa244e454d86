"""Generators of values: the place for the interface and one module for each kind of `generators.external-secrets.io`."""
