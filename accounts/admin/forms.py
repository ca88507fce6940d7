"""What a person types in; services decide what it means."""

import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.admin.asking import AskingForm
from accounts.models import Transfer, VenueAccount
from accounts.selectors import list_accounts, list_transfers
from accounts.services.accounts import KEY_LENGTH_MAX
from accounts.services.history import REASON_LENGTH_MAX
from accounts.services.settlement import name_proposal
from arbplatform.console.admin import plain
from arbplatform.console.fields import (
    DialogForm,
    SecretField,
    SecretsForm,
    SeenForm,
    ShownForm,
)
from arbplatform.core.decimals import STORED_DECIMAL_PLACES, STORED_DIGITS_MAX

SECRET_INPUTS = ("new_api_key", "new_api_secret", "new_passphrase")


class AccountForm(SecretsForm):
    """An account. The stored secrets are no fields of it, so that they cannot get into the page."""

    names: ClassVar[Mapping[str, str]] = {name.removeprefix("new_"): name for name in SECRET_INPUTS}
    watched: ClassVar[Mapping[str, str]] = dict.fromkeys(SECRET_INPUTS, "api_key_tail")

    new_api_key = SecretField(label=_("API key"), max_length=KEY_LENGTH_MAX, required=False)
    new_api_secret = SecretField(label=_("API secret"), max_length=KEY_LENGTH_MAX, required=False)
    new_passphrase = SecretField(
        label=_("passphrase"),
        max_length=KEY_LENGTH_MAX,
        required=False,
        help_text=_("Only for venues that ask for one."),
    )

    class Meta:
        model = VenueAccount
        fields = ("venue", "label", "is_enabled", "allows_transfers")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        capitalise_labels(self)
        if self.instance.pk is None:
            self.fields["new_api_key"].required = True
            self.fields["new_api_secret"].required = True
            return
        self.fields["venue"].disabled = True
        self.fields["venue"].help_text = _("Cannot change: register a new account instead.")
        for name in SECRET_INPUTS:
            self.fields[name].help_text = _("Leave empty to keep the present one.")

    def typed_secrets(self) -> dict[str, Any]:
        """Return what was typed as the arguments of the services."""
        return {
            name.removeprefix("new_"): self.cleaned_data[name]
            for name in SECRET_INPUTS
            if self.cleaned_data.get(name)
        }


class TransferForm(AskingForm):
    """A request for a transfer."""

    names: ClassVar[Mapping[str, str]] = {"fee_max": "accepted_fee", "test_amount": "first_amount"}

    amount = forms.DecimalField(
        label=_("amount"),
        max_digits=STORED_DIGITS_MAX,
        decimal_places=STORED_DECIMAL_PLACES,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text=_("What leaves the source, network fee included."),
    )
    to_account = forms.ModelChoiceField(
        label=_("to account"),
        queryset=VenueAccount.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label=_("the same account"),
    )
    network = forms.CharField(
        label=_("network"),
        max_length=32,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Any name of it. Empty: the only one that both venues know."),
    )
    accepted_fee = forms.DecimalField(
        label=_("accepted network fee"),
        max_digits=STORED_DIGITS_MAX,
        decimal_places=STORED_DECIMAL_PLACES,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text=_(
            "Between accounts: what the network may cost. Leave it empty to be told first what "
            "the venue asks for."
        ),
    )
    first_amount = forms.DecimalField(
        label=_("test amount"),
        max_digits=STORED_DIGITS_MAX,
        decimal_places=STORED_DECIMAL_PLACES,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text=_(
            "A part of the amount that is sent first: the rest follows when it has arrived. "
            "Empty: everything at once."
        ),
    )
    request_key = forms.CharField(label="", max_length=64, widget=forms.HiddenInput)

    class Meta:
        model = Transfer
        fields = ("from_account", "from_wallet", "to_wallet", "asset")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        capitalise_labels(self)
        usable = list_accounts().filter(is_enabled=True)
        for name in ("from_account", "to_account"):
            field = self.fields[name]
            if isinstance(field, forms.ModelChoiceField):
                field.queryset = usable
        # Made with the page: a second click on its button asks for the same transfer.
        self.fields["request_key"].initial = secrets.token_urlsafe(16)


class ReasonForm(DialogForm):
    """Why something is done."""

    reason = forms.CharField(
        label=_("reason"),
        max_length=REASON_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        capitalise_labels(self)


class SettleForm(DialogForm):
    """How a transfer ended, as a person saw it."""

    outcome = forms.ChoiceField(
        label=_("outcome"),
        choices=[
            ("arrived", _("the funds have arrived")),
            ("failed", _("the funds never left the source")),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    arrived_amount = forms.DecimalField(
        label=_("arrived amount"),
        required=False,
        max_digits=STORED_DIGITS_MAX,
        decimal_places=STORED_DECIMAL_PLACES,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        help_text=_("Empty: the amount less the network fee."),
    )
    reason = forms.CharField(
        label=_("reason"),
        max_length=REASON_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("What you saw at the venues."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        capitalise_labels(self)


def capitalise_labels(form: forms.BaseForm) -> None:
    """Write labels as Django writes those of a model's own fields."""
    for field in form.fields.values():
        if field.label:
            field.label = capfirst(field.label)


def say_proposal(transfer: Transfer) -> str:
    """Return how a person says that a transfer ended."""
    if transfer.settlement is None:
        return "–"
    arrived = transfer.settlement["arrived"]
    outcome = _("never left the source") if arrived is None else arrived
    return f"{transfer.settlement_by}: {outcome} · {transfer.settlement['reason']}"


def say_request(transfer: Transfer) -> str:
    """Return what a transfer moves, and where to as far as that is known."""
    said = f"{transfer}: {plain(transfer.amount)} {transfer.asset.code}"
    return f"{said} → {transfer.address}" if transfer.address else said


class ApproveForm(ShownForm):
    """Agrees to a transfer that another person asked for."""

    list_rows = staticmethod(list_transfers)
    describe = staticmethod(say_request)


class ConfirmForm(SeenForm):
    """Agrees to the end of a transfer that another person proposed."""

    list_rows = staticmethod(list_transfers)
    name_seen = staticmethod(name_proposal)
    describe = staticmethod(say_proposal)
