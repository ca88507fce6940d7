"""What a person types in about a venue."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from arbplatform.core.errors import InvalidInput
from arbplatform.wording import render
from markets.domain.venue_options import mask_options, unmask_options
from markets.models import Venue
from markets.services.venues import ORIGINS, check_protocol


class VenueForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    """A venue, checked as the service will check it."""

    class Meta:
        model = Venue
        fields = (
            "code",
            "name",
            "ccxt_id",
            "is_enabled",
            "rest_origin",
            "ws_origin",
            "options",
        )
        widgets = {
            # Django's own widgets for these would refuse what the model takes (no ws://).
            "rest_origin": UnfoldAdminTextInputWidget,
            "ws_origin": UnfoldAdminTextInputWidget,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (*ORIGINS, "options"):
            if name in self.initial:
                self.initial[name] = mask_options(self.initial[name])

    def clean(self) -> dict[str, Any]:
        """Add what only the service knows: ccxt's classes and what options may hold."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "ccxt_id" not in cleaned or "options" not in cleaned:
            return cleaned
        kept = self.instance.options if self.instance.pk else None
        cleaned["options"] = unmask_options(cleaned["options"], kept)
        try:
            check_protocol(ccxt_id=cleaned["ccxt_id"], options=cleaned["options"], kept=kept)
        except InvalidInput as error:
            for field, texts in (error.fields or {"ccxt_id": [error.message]}).items():
                for text in texts:
                    self.add_error(field, render(text))
        return cleaned
