"""Who may do what: RBAC and the access reviews."""
