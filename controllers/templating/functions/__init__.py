"""The functions of templates, one module per family; `registry.py` holds how a function is declared."""
