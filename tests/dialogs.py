"""How tests press the buttons whose dialogs show what is decided on."""

import re
from typing import Any

from django.urls import reverse

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


def path_of(row: Any, button: str) -> str:
    """Return the address of a row's button."""
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_{button}", args=(row.pk,))


def sent_by(page: str) -> dict[str, str]:
    """Return what a browser sends of a dialog in which nothing was typed."""
    found = _HIDDEN.findall(page)
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}
