"""The templates of stores: URLs, headers, bodies."""

from __future__ import annotations

from collections.abc import Mapping

from controllers import templating
from controllers.templating.budget import Budget
from controllers.templating.gotemplate.errors import TemplateError
from controllers.templating.redaction import redacted

__all__ = ["StoreTemplates"]


class StoreTemplates:
    """Renders with `{{` and `}}`; `providers.interface.TextTemplates` is its protocol.

    Args:
        budget: What one render may use.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def render(self, template: str, data: Mapping[str, Mapping[str, str]], *, name: str) -> str:
        """The text; a key that is not there prints `<no value>`.

        Raises:
            ValueError: it cannot be parsed or rendered; the text shows no values.
        """
        from controllers.templating.gotemplate.values import StrMap

        root = {
            _bytes(key): StrMap([(_bytes(inner), _bytes(value)) for inner, value in members.items()])
            for key, members in data.items()
        }
        try:
            compiled = templating.compile(template, name=name)
            return compiled.render(root, budget=self._budget, missing_keys="no value").decode(
                "utf-8", "surrogateescape"
            )
        except TemplateError as error:
            values = {
                f"{key}.{inner}": _bytes(value) for key, members in data.items() for inner, value in members.items()
            }
            raise ValueError(redacted(str(error), values)) from None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
