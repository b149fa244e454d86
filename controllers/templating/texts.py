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

    async def render(self, template: str, data: Mapping[str, Mapping[str, str]], *, name: str) -> str:
        """The text; a key that is not there prints `<no value>`. What takes long is rendered on a thread.

        Raises:
            ValueError: it cannot be parsed or rendered; the text shows no values.
        """
        from controllers.templating.gotemplate.values import StrMap

        root = {
            _bytes(key): StrMap([(_bytes(inner), _bytes(value)) for inner, value in members.items()])
            for key, members in data.items()
        }
        values = {f"{key}.{inner}": _bytes(value) for key, members in data.items() for inner, value in members.items()}
        try:
            rendered = await templating.render_async(
                template, values, name=name, missing_keys="no value", budget=self._budget, root=root
            )
        except TemplateError as error:
            raise ValueError(redacted(str(error), values)) from None
        return rendered.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
