"""Fields of the console's forms."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminPasswordWidget


class SecretField(forms.CharField):
    """A secret that can be typed in; it is never put into a page, not even after an error."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {"autocomplete": "new-password", "spellcheck": "false"}
        widget = UnfoldAdminPasswordWidget(attrs=attributes, render_value=False)
        super().__init__(widget=widget, **kwargs)


class SecretsForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    """A form with secrets; if it comes back, it says of each one that was typed that it is gone."""

    def full_clean(self) -> None:
        """Check everything; without the hint, who sends it again would leave the secrets out."""
        super().full_clean()
        if not self.is_bound or not self.errors:
            return
        for name, field in self.fields.items():
            is_typed = isinstance(field, SecretField) and bool(self[name].data)
            if is_typed and name not in self.errors:
                self.add_error(name, gettext("Type it in again: a secret is never sent back."))


class DialogForm(BaseDialogForm):
    """What the dialog of a button asks for; above it stands what is said of the whole form."""

    def render_before_template(self) -> str:
        """Return why the service refused, and, hidden, what is shown where nobody answers."""
        context = {"errors": self.non_field_errors()}
        return format_html(
            '{}<p class="arb-notice arb-notice-danger" data-unanswered hidden>{}</p>',
            render_to_string("unfold/helpers/messages/error.html", context),
            gettext(
                "The server has not answered as it should: whether this was done is not known. "
                "Load the page anew and look before you try again."
            ),
        )


class ShownForm(DialogForm):
    """Shows in the dialog what is decided on: the page behind it cannot be read.

    Attributes:
        list_rows: the rows that there are.
        describe: what is decided on, for people.
    """

    list_rows: Callable[[], QuerySet[Any]]
    describe: Callable[[Any], str]

    @cached_property
    def row(self) -> Any:
        """The row, if it is there."""
        number = str(self.object_id)
        return self.list_rows().filter(pk=number).first() if number.isdecimal() else None

    def render_before_template(self) -> str:
        """Return why the service refused, if it did, and what is decided on."""
        described = "–" if self.row is None else self.describe(self.row)
        return format_html(
            '{}<p class="break-words">{}</p>', super().render_before_template(), described
        )


class SeenForm(ShownForm):
    """Decides on a row as the dialog has shown it, and sends back what that was.

    The service compares. What there is by then stands below its refusal, and the dialog has to be
    opened anew: nobody agrees to what they had no time to read.

    Attributes:
        name_seen: what tells what is decided on from what it was before.
    """

    name_seen: Callable[[Any], str]

    seen = forms.CharField(label="", required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.row is not None:
            self.fields["seen"].initial = self.name_seen(self.row)
