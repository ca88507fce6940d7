"""The pages of transfers: ask for one, and follow it."""

from collections.abc import Collection
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from accounts.admin.forms import ReasonForm, SettleForm, TransferForm
from accounts.domain.transfers import UNSENT_STATES, TransferState
from accounts.models import Transfer
from accounts.selectors import list_transfers
from accounts.services.approvals import approve_transfer, cancel_transfer
from accounts.services.requests import request_transfer
from accounts.services.settlement import SETTLEABLE, confirm_settlement, settle_transfer
from accounts.services.transfers import poll_transfer
from arbplatform.console.admin import PlatformAdmin, command_button, plain
from arbplatform.core.errors import ArbError, Message
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


@admin.register(Transfer)
class TransferAdmin(PlatformAdmin):
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
    add_fieldsets = (
        (_("Source"), {"fields": ("from_account", "from_wallet")}),
        (_("Destination"), {"fields": ("to_account", "to_wallet", "network")}),
        (_("What"), {"fields": ("asset", "amount", "accepted_fee", "first_amount", "request_key")}),
    )
    change_fieldsets = (
        (
            None,
            {
                "fields": (
                    "state",
                    "alarmed_at",
                    "error",
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
                    "fee_stated",
                    "fee_max",
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

    def get_fieldsets(self, request: HttpRequest, obj: Transfer | None = None) -> Any:
        """Show a request's fields, or everything that is known of a transfer."""
        return self.add_fieldsets if obj is None else self.change_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Transfer | None = None) -> Any:
        """Let nothing be typed in but a new request."""
        if obj is None:
            return ()
        return tuple(name for _title, part in self.change_fieldsets for name in part["fields"])

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: what was asked for does not change."""
        return False

    def has_poll_permission(self, request: HttpRequest, *_args: object) -> bool:
        """Let those who may change transfers ask the venues about them."""
        return bool(super().has_change_permission(request))

    def has_settle_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Let them end by hand only what was sent and has not ended."""
        return self._may(request, object_id, SETTLEABLE)

    def has_approve_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Show the button while a second person is waited for."""
        return self._may(request, object_id, {TransferState.UNAPPROVED})

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Show the button while nothing was sent."""
        return self._may(request, object_id, UNSENT_STATES)

    def has_confirm_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Show the button when somebody has proposed how it ended."""
        is_proposed = self.get_queryset(request).exclude(settlement=None)
        is_meant = object_id is None or is_proposed.filter(pk=object_id).exists()
        return is_meant and self._may(request, object_id, SETTLEABLE)

    def _may(self, request: HttpRequest, object_id: Any, states: Collection[str]) -> bool:
        if not self.has_poll_permission(request):
            return False
        rows = self.get_queryset(request).filter(state__in=states)
        return object_id is None or rows.filter(pk=object_id).exists()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: what was moved was moved."""
        return False

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

    @display(description=_("proposed settlement"))
    def show_settlement(self, transfer: Transfer) -> str:
        """Show how a person says that it ended."""
        if transfer.settlement is None:
            return "–"
        arrived = transfer.settlement["arrived"]
        outcome = _("never left the source") if arrived is None else arrived
        return f"{transfer.settlement_by}: {outcome} · {transfer.settlement['reason']}"

    @display(description=_("value"), ordering="value")
    def show_value(self, transfer: Transfer) -> str:
        """Show what it was worth when it was requested."""
        return plain(transfer.value)

    @display(description=_("network fee"), ordering="fee")
    def show_fee(self, transfer: Transfer) -> str:
        """Show the network's fee."""
        return plain(transfer.fee)

    @display(description=_("arrived amount"), ordering="arrived_amount")
    def show_arrived(self, transfer: Transfer) -> str:
        """Show what the destination credited."""
        return plain(transfer.arrived_amount)

    # actions ----------------------------------------------------------------------------------

    @admin.action(description=_("Look up at the venues"), permissions=["poll"])
    def poll_selected(self, request: HttpRequest, queryset: QuerySet[Transfer]) -> None:
        """Look each transfer up now."""
        self.apply(request, queryset, look_up_now)

    @command_button(
        description=_("Look up at the venues"),
        question=_("The venues are asked what has become of the transfer. Nothing is sent again."),
        icon="travel_explore",
        permissions=("poll",),
    )
    def poll_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Look the transfer up now."""
        return self.apply_to_one(request, object_id, look_up_now)

    @command_button(
        description=_("Approve"),
        question=_("The transfer is sent. Only somebody else than who asked for it can approve."),
        icon="how_to_reg",
        permissions=("approve",),
    )
    def approve_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Approve the transfer."""

        def command(transfer: Transfer) -> None:
            approve_transfer(transfer_id=transfer.pk, user=request.user)
            self.log_change(request, transfer, "Approved.")

        return self.apply_to_one(request, object_id, command, done=_("approved"))

    @action(
        description=_("Cancel"),
        icon="block",
        permissions=("cancel",),
        dialog={
            "title": _("Cancel"),
            "description": _("Nothing was sent, and nothing will be."),
            "form_class": ReasonForm,
            "form_submit_text": _("Cancel the transfer"),
        },
    )
    def cancel_one(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Cancel the transfer."""
        reason = form.cleaned_data["reason"]

        def command(transfer: Transfer) -> None:
            cancel_transfer(transfer_id=transfer.pk, reason=reason, user=request.user)
            self.log_change(request, transfer, reason)

        return self.apply_to_one(request, object_id, command, done=_("cancelled"))

    @action(
        description=_("Settle by hand"),
        icon="gavel",
        permissions=("settle",),
        dialog={
            "title": _("Settle by hand"),
            "description": _(
                "Only for a transfer that the venues do not explain. Between real venues another "
                "member of staff has to confirm it; the ledger then books what you say here."
            ),
            "form_class": SettleForm,
            "form_submit_text": _("Settle by hand"),
        },
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

        return self.apply_to_one(request, object_id, command)

    @command_button(
        description=_("Confirm the settlement"),
        question=_(
            "Look at both venues' own pages first. The ledger books the end that your colleague "
            "proposed."
        ),
        icon="done_all",
        permissions=("confirm",),
    )
    def confirm_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """End the transfer as another person proposed."""

        def command(transfer: Transfer) -> None:
            confirm_settlement(transfer_id=transfer.pk, user=request.user)
            self.log_change(request, transfer, "Confirmed the settlement.")

        return self.apply_to_one(request, object_id, command, done=_("confirmed"))

    # the request ------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Ask for a transfer; if it is refused, show the form again and say why.

        Django saves forms inside a transaction; the service asks the venues, so it is called here.
        """
        if request.method != "POST":
            return super().add_view(request, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.get_form(request, None, change=False)(request.POST)
        try:
            transfer = self._request(request, form) if form.is_valid() else None
        except ArbError as refusal:
            request.transfer_refusal = refusal  # type: ignore[attr-defined]  # for get_form
            transfer = None
        if transfer is None:
            return super().add_view(request, form_url, extra_context)
        name = f"{transfer}"
        messages.success(request, render(Message("{transfer} is requested.", {"transfer": name})))
        return HttpResponseRedirect(reverse("admin:accounts_transfer_change", args=(transfer.pk,)))

    def get_form(
        self, request: HttpRequest, obj: Transfer | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form, told of the service's refusal if there was one."""
        if obj is not None:
            return super().get_form(request, obj, change=change, **kwargs)
        form = super().get_form(request, obj, change=change, form=TransferForm, **kwargs)
        form.refusal = getattr(request, "transfer_refusal", None)
        return form

    def _request(self, request: HttpRequest, form: TransferForm) -> Transfer:
        typed = form.cleaned_data
        target = typed["to_account"]
        transfer = request_transfer(
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
        self.log_addition(request, transfer, "Requested.")
        return transfer


def look_up_now(transfer: Transfer) -> Message:
    """Look a transfer up and say where it stands."""
    found = poll_transfer(transfer_id=transfer.pk)
    return Message("The transfer is {state}.", {"state": str(found.get_state_display())})
