"""Templates: Go's text/template with the function set that users of the operator know."""
