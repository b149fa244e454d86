"""The operator: API kinds, one package per controller, admission and the command line `eso`."""
