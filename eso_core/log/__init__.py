"""Logging: one chain for structlog and the standard library's loggers, one line per event, no secret values.

``configure_logging`` is called once by the program; ``get_logger`` gives a logger; ``set_level`` changes the level while
the program runs; ``keep_locals_out`` makes the library's lines safe in a program that configures nothing;
``log_context`` adds keys to every line that is logged inside a block, in other threads too when they copy the context.
"""

from eso_core.log.setup import configure_logging, get_logger, keep_locals_out, log_context, set_level

__all__ = ["configure_logging", "get_logger", "keep_locals_out", "log_context", "set_level"]
