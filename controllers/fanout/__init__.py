"""One object, a copy in each of many namespaces: what ClusterExternalSecret and ClusterPushSecret have in common.

::

    kinds       what differs between the two
    selection   which namespaces                                  (pure)
    children    what a copy should be, and whether it is           (pure)
    reconciler  copies are made, changed and removed
    watches     what wakes an object
    wiring      both controllers, in a manager
"""
