"""Generators in the loop: from a `generatorRef` to values, and to what has to be cleaned up for them."""
