"""What dialogs about orders and differences ask for; services decide what it means."""

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from arbplatform.console.admin import plain
from arbplatform.console.fields import DialogForm, SeenForm
from arbplatform.core.decimals import STORED_DECIMAL_PLACES, STORED_DIGITS_MAX
from arbplatform.wording import render
from ledger.domain.reconciliation import DiscrepancyKind
from ledger.models import Discrepancy
from ledger.selectors.reconciliation import list_discrepancies
from ledger.services.discrepancies import NOTE_LENGTH_MAX, name_figures


class NoteForm(DialogForm):
    """Why a person decides so."""

    note = forms.CharField(
        label=_("Reason"),
        max_length=NOTE_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


def say_figures(row: Discrepancy) -> str:
    """Return what differs, and of a balance by how much."""
    said = render(row.to_message())
    if row.kind != DiscrepancyKind.BALANCE or row.booked is None or row.stated is None:
        return said
    return f"{said} ({plain(row.stated - row.booked)} {row.asset})"


class FiguresForm(SeenForm):
    """Decides on a difference."""

    list_rows = staticmethod(list_discrepancies)
    name_seen = staticmethod(name_figures)
    describe = staticmethod(say_figures)


class FeeForm(FiguresForm, NoteForm):
    """What a trade cost, and how a person knows."""

    field_order = ("fee", "asset", "note", "seen")
    fee = forms.DecimalField(
        label=_("fee"),
        max_digits=STORED_DIGITS_MAX,
        decimal_places=STORED_DECIMAL_PLACES,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text=_("What was taken; 0: nothing."),
    )
    asset = forms.CharField(
        label=_("fee asset"),
        max_length=32,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Empty: the coin that the venue names."),
    )
