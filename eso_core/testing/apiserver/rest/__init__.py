"""The verbs on stored objects: create, get, list, watch, update, patch, delete."""
