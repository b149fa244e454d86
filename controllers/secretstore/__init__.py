"""SecretStore and ClusterSecretStore: validation, and the rules of who may use a store.

`access` answers whether an object in a namespace may read from a store now; `reconciler` keeps the Ready condition.
"""
