"""What holds values of Secrets shows none of them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct

from controllers.cli.manifests import Manifest
from controllers.externalsecret.keys import Rewritten
from controllers.externalsecret.render import Content, Rendered
from controllers.externalsecret.target import Target
from controllers.templating.gotemplate.urls import Url, UserInfo

PLANTED = "cGxhbnRlZA-planted"
HOLDERS: list[type[Struct]] = [Content, Manifest, Rendered, Rewritten, Target, Url, UserInfo]


@pytest.mark.parametrize("holder", HOLDERS)
def test_its_repr_names_the_fields_and_shows_no_value(holder: Any) -> None:
    """Tracebacks of test tools, debuggers and careless log lines print it."""
    fields = holder.__struct_fields__
    shown = repr(holder(*([{PLANTED: PLANTED.encode()}] * len(fields))))
    assert PLANTED not in shown
    assert shown == f"{holder.__name__}({', '.join(fields)})"
