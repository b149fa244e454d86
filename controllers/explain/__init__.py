"""Why is an object not Ready? The chain from it to what it depends on, in plain words."""
