"""The pages of transfers: ask for one, and follow it."""

from collections.abc import Collection, Mapping

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin.asking import AskingAdmin, AskingForm
from accounts.admin.forms import (
    ApproveForm,
    ConfirmForm,
    ReasonForm,
    SettleForm,
    TransferForm,
    say_proposal,
)
from accounts.domain.transfers import LIVE_STATES, UNSENT_STATES, TransferState
from accounts.models import Transfer
from accounts.selectors import list_transfers
from accounts.services.approvals import approve_transfer, cancel_transfer
from accounts.services.requests import request_transfer
from accounts.services.settlement import SETTLEABLE, confirm_settlement, settle_transfer
from accounts.services.transfers import poll_transfer
from arbplatform.console.admin import command_button, plain
from arbplatform.core.errors import Message
from arbplatform.wording import render
from markets.domain.funds import Wallet

STATE_LABELS = {
    TransferState.UNAPPROVED: "warning",
    TransferState.TESTING: "info",
    TransferState.REQUESTED: "info",
    TransferState.WAITING: "warning",
    TransferState.SUBMITTING: "info",
    TransferState.SUBMITTED: "info",
    TransferState.IN_TRANSIT: "info",
    TransferState.DISPUTED: "danger",
    TransferState.ARRIVED: "success",
    TransferState.FAILED: "danger",
    TransferState.UNKNOWN: "warning",
}
STATES_OF_BUTTONS: Mapping[str, Collection[TransferState]] = {
    "poll_one": LIVE_STATES,
    "approve_one": (TransferState.UNAPPROVED,),
    "cancel_one": UNSENT_STATES,
    "settle_one": SETTLEABLE,
    "confirm_one": SETTLEABLE,
}
"""What each button makes sense for; the services refuse all else, and say why."""


@admin.register(Transfer)
class TransferAdmin(AskingAdmin):
    """Transfers. They are asked for here and looked at; nothing of them can be typed in later."""

    list_display = (
        "id",
        "show_state",
        "asset",
        "show_amount",
        "show_source",
        "show_target",
        "show_fee",
        "show_arrived",
        "created_at",
        "arrived_at",
    )
    empty_hint = _(
        "Nothing was transferred yet. A transfer moves funds between wallets of an account, or "
        "between accounts."
    )
    list_filter = ("state", "asset", "from_account__venue", "to_account__venue")
    search_fields = ("client_transfer_id", "venue_transfer_id", "tx_id", "idempotency_key")
    date_hierarchy = "created_at"
    actions = ("poll_selected",)
    actions_row = ("poll_one",)
    actions_detail = ("poll_one", "approve_one", "cancel_one", "settle_one", "confirm_one")
    ask_text = _("Request the transfer")
    ask_form = TransferForm
    ask_fieldsets = (
        (_("Source"), {"fields": ("from_account", "from_wallet")}),
        (_("Destination"), {"fields": ("to_account", "to_wallet", "network")}),
        (_("What"), {"fields": ("asset", "amount", "accepted_fee", "first_amount", "request_key")}),
    )
    shown_fieldsets = (
        (
            None,
            {
                "fields": (
                    "state",
                    "show_alarmed_at",
                    "show_error",
                    "show_settlement",
                    "note",
                    "asset",
                    "show_amount",
                    "show_fee",
                    "show_arrived",
                )
            },
        ),
        (_("Way"), {"fields": ("from_account", "from_wallet", "to_account", "to_wallet")}),
        (
            _("At the venues"),
            {
                "fields": (
                    "network",
                    "show_fee_stated",
                    "show_fee_max",
                    "address_entry",
                    "address",
                    "tag",
                    "client_transfer_id",
                    "venue_transfer_id",
                    "tx_id",
                    "venue_deposit_id",
                )
            },
        ),
        (
            _("Course"),
            {
                "fields": (
                    "requested_by",
                    "approved_by",
                    "show_value",
                    "test_transfer",
                    "idempotency_key",
                    "created_at",
                    "released_at",
                    "submitted_at",
                    "arrived_at",
                    "lookup_count",
                    "next_lookup_at",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transfer]:
        """Return transfers with what their columns need."""
        return list_transfers()

    def is_offered(self, action: str, row: Transfer) -> bool:
        """Offer what the state of the transfer allows; to confirm only what somebody proposed."""
        is_proposed = action != "confirm_one" or row.settlement is not None
        return is_proposed and row.state in STATES_OF_BUTTONS[action]

    # columns ----------------------------------------------------------------------------------

    @display(description=_("state"), ordering="state", label=STATE_LABELS)
    def show_state(self, transfer: Transfer) -> tuple[str, str]:
        """Show the state as a coloured label."""
        return transfer.state, str(transfer.get_state_display())

    @display(description=_("from"), ordering="from_account")
    def show_source(self, transfer: Transfer) -> str:
        """Show the sending account and wallet."""
        return f"{transfer.from_account} · {transfer.get_from_wallet_display()}"

    @display(description=_("to"), ordering="to_account")
    def show_target(self, transfer: Transfer) -> str:
        """Show the receiving account and wallet."""
        return f"{transfer.to_account} · {transfer.get_to_wallet_display()}"

    @display(description=_("amount"), ordering="amount")
    def show_amount(self, transfer: Transfer) -> str:
        """Show what leaves the source."""
        return plain(transfer.amount)

    @display(description=_("alarm since"))
    def show_alarmed_at(self, transfer: Transfer) -> str:
        """Show since when it is late, and what that means; of one that is not late neither."""
        if transfer.alarmed_at is None:
            return "–"
        moment = date_format(timezone.localtime(transfer.alarmed_at), "Y-m-d H:i:s")
        return f"{moment}: {_('It has been under way for longer than it should.')}"

    @display(description=_("error"))
    def show_error(self, transfer: Transfer) -> str:
        """Show what went wrong, in the reader's language."""
        return render(transfer.to_error()) or "–"

    @display(description=_("proposed settlement"))
    def show_settlement(self, transfer: Transfer) -> str:
        """Show how a person says that it ended."""
        return say_proposal(transfer)

    @display(description=_("value"), ordering="value")
    def show_value(self, transfer: Transfer) -> str:
        """Show what it was worth when it was requested."""
        return plain(transfer.value)

    @display(description=_("network fee"), ordering="fee")
    def show_fee(self, transfer: Transfer) -> str:
        """Show the network's fee."""
        return plain(transfer.fee)

    @display(description=_("stated network fee"))
    def show_fee_stated(self, transfer: Transfer) -> str:
        """Show what the source stated when the transfer was requested."""
        return plain(transfer.fee_stated)

    @display(description=_("accepted network fee"))
    def show_fee_max(self, transfer: Transfer) -> str:
        """Show up to which fee it is sent."""
        return plain(transfer.fee_max)

    @display(description=_("arrived amount"), ordering="arrived_amount")
    def show_arrived(self, transfer: Transfer) -> str:
        """Show what the destination credited."""
        return plain(transfer.arrived_amount)

    # actions ----------------------------------------------------------------------------------

    @admin.action(description=_("Look up at the venues"), permissions=["act"])
    def poll_selected(self, request: HttpRequest, queryset: QuerySet[Transfer]) -> None:
        """Look each transfer up now."""
        self.apply(request, queryset, look_up_now)

    @command_button(
        description=_("Look up at the venues"),
        question=_("The venues are asked what has become of the transfer. Nothing is sent again."),
        icon="travel_explore",
        permissions=("act",),
    )
    def poll_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Look the transfer up now."""
        return self.apply_to_one(request, object_id, look_up_now)

    @command_button(
        description=_("Approve"),
        question=_("The transfer is sent. Only somebody else than who asked for it can approve."),
        icon="how_to_reg",
        permissions=("act",),
        form_class=ApproveForm,
    )
    def approve_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Approve the transfer."""

        def command(transfer: Transfer) -> None:
            approve_transfer(transfer_id=transfer.pk, user=request.user)
            self.log_change(request, transfer, "Approved.")

        return self.apply_to_one(request, object_id, command, done=_("approved"))

    @command_button(
        description=_("Cancel"),
        question=_("Nothing was sent, and nothing will be."),
        submit=_("Cancel the transfer"),
        icon="block",
        permissions=("act",),
        form_class=ReasonForm,
    )
    def cancel_one(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Cancel the transfer."""
        reason = form.cleaned_data["reason"]

        def command(transfer: Transfer) -> None:
            cancel_transfer(transfer_id=transfer.pk, reason=reason, user=request.user)
            self.log_change(request, transfer, reason)

        return self.apply_to_one(request, object_id, command, done=_("cancelled"), form=form)

    @command_button(
        description=_("Settle by hand"),
        question=_(
            "Only for a transfer that the venues do not explain. Between real venues another "
            "member of staff has to confirm it; the ledger then books what you say here."
        ),
        icon="gavel",
        permissions=("act",),
        form_class=SettleForm,
    )
    def settle_one(self, request: HttpRequest, form: SettleForm, object_id: str) -> HttpResponse:
        """End the transfer as the person says."""

        def command(transfer: Transfer) -> None:
            settle_transfer(
                transfer_id=transfer.pk,
                has_arrived=form.cleaned_data["outcome"] == "arrived",
                arrived_amount=form.cleaned_data["arrived_amount"],
                reason=form.cleaned_data["reason"],
                user=request.user,
            )
            self.log_change(request, transfer, form.cleaned_data["reason"])

        return self.apply_to_one(request, object_id, command, form=form)

    @command_button(
        description=_("Confirm the settlement"),
        question=_(
            "Look at both venues' own pages first. The ledger books the end that your colleague "
            "proposed."
        ),
        icon="done_all",
        permissions=("act",),
        form_class=ConfirmForm,
    )
    def confirm_one(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        """End the transfer as another person proposed."""

        def command(transfer: Transfer) -> None:
            seen = form.cleaned_data["seen"]
            confirm_settlement(transfer_id=transfer.pk, user=request.user, seen=seen)
            self.log_change(request, transfer, "Confirmed the settlement.")

        return self.apply_to_one(request, object_id, command, done=_("confirmed"), form=form)

    # the request ------------------------------------------------------------------------------

    def ask(self, request: HttpRequest, form: AskingForm) -> Transfer:
        """Ask for a transfer."""
        typed = form.cleaned_data
        target = typed["to_account"]
        return request_transfer(
            from_account_id=typed["from_account"].pk,
            to_account_id=None if target is None else target.pk,
            from_wallet=Wallet(typed["from_wallet"]),
            to_wallet=Wallet(typed["to_wallet"]),
            asset=typed["asset"].code,
            amount=typed["amount"],
            network=typed["network"],
            fee_max=typed["accepted_fee"],
            must_accept_fee=True,
            test_amount=typed["first_amount"],
            idempotency_key=typed["request_key"],
            user=request.user if request.user.is_authenticated else None,
        )

    def describe(self, name: str) -> Message:
        """Say that it is on its way."""
        return Message("{transfer} is requested.", {"transfer": name})


def look_up_now(transfer: Transfer) -> Message:
    """Look a transfer up and say where it stands."""
    found = poll_transfer(transfer_id=transfer.pk)
    return Message("The transfer is {state}.", {"state": str(found.get_state_display())})
