"""Fields of the console's forms."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminPasswordWidget


class SecretField(forms.CharField):
    """A secret that can be typed in; it is never put into a page, not even after an error."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {"autocomplete": "new-password", "spellcheck": "false"}
        widget = UnfoldAdminPasswordWidget(attrs=attributes, render_value=False)
        super().__init__(widget=widget, **kwargs)
