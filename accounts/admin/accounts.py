"""The pages of accounts and of what they hold."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.admin.forms import SECRET_INPUTS, AccountForm
from accounts.domain.permissions import (
    ADDRESS_WARNING,
    READ_WARNING,
    TRADE_WARNING,
    WITHDRAW_WARNING,
    find_warnings,
    from_json,
)
from accounts.models import Balance, VenueAccount
from accounts.selectors import list_accounts, list_balances
from accounts.services import accounts, balances
from arbplatform.console.admin import (
    PlatformAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    command_button,
    plain,
)
from arbplatform.core.errors import Message
from arbplatform.wording import render

OUTCOME_LABELS = {"good": "success", "bad": "danger", "none": "info"}
RIGHTS = {
    "read": _("read"),
    "trade": _("trading"),
    "withdraw": _("withdraw"),
    "transfer": _("transfer between wallets"),
    "ip_restricted": _("restricted to IP addresses"),
}
RISKS = {
    WITHDRAW_WARNING.template: _("may withdraw"),
    READ_WARNING.template: _("may not read"),
    TRADE_WARNING.template: _("may not trade"),
    ADDRESS_WARNING.template: _("every IP address"),
}
RISK_LABELS = {"high": "danger", "low": "warning", "none": "info"}
YES, NO, UNTOLD = _("yes"), _("no"), _("the venue does not tell")


class AmountColumns:
    """Columns of a balance with money as plain digits."""

    @display(description=_("free"), ordering="free")
    def show_free(self, balance: Balance) -> str:
        """Show what can be used now."""
        return plain(balance.free)

    @display(description=_("held"), ordering="held")
    def show_held(self, balance: Balance) -> str:
        """Show what is locked in orders or withdrawals."""
        return plain(balance.held)

    @display(description=_("total"))
    def show_total(self, balance: Balance) -> str:
        """Show all that is there."""
        return plain(balance.total)

    @display(description=_("reserved"))
    def show_reserved(self, balance: Balance) -> str:
        """Show what orders and transfers under way may still spend."""
        reserved: Decimal = balance.reserved  # type: ignore[attr-defined]  # added by the query
        return plain(reserved)


class BalanceInline(AmountColumns, ReadOnlyInline):
    """What the account holds."""

    model = Balance
    tab = True
    hide_title = True
    per_page = 50
    fields = (
        "wallet",
        "asset",
        "show_free",
        "show_held",
        "show_total",
        "show_reserved",
        "synced_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Balance]:
        """Return balances with their assets."""
        return list_balances()


@admin.register(Balance)
class BalanceAdmin(AmountColumns, ReadOnlyAdmin):
    """What the venues last said."""

    empty_hint = _(
        "Balances are read when the connection of a venue account is tested, and every half minute."
    )
    list_display = (
        "account",
        "wallet",
        "asset",
        "show_free",
        "show_held",
        "show_total",
        "show_reserved",
        "synced_at",
    )
    list_filter = ("account__venue", "wallet", "asset")
    search_fields = ("asset__code", "account__label", "account__venue__code")
    fields = list_display
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Balance]:
        """Return balances with what their columns need."""
        return list_balances()


@admin.register(VenueAccount)
class VenueAccountAdmin(PlatformAdmin):
    """Accounts. Secrets can be typed in and are never shown."""

    form = AccountForm
    inlines = (BalanceInline,)
    list_display = (
        "__str__",
        "api_key_tail",
        "is_enabled",
        "show_connection",
        "show_risks",
        "show_sync",
        "synced_at",
    )
    empty_hint = _("Add the API key of an account of yours at a venue, then test its connection.")
    list_filter = ("venue", "is_enabled")
    search_fields = ("label", "venue__code", "venue__name")
    readonly_fields = (
        "api_key_tail",
        "tell_connection",
        "show_warnings",
        "show_rights",
        "tested_at",
        "show_test_error",
        "tell_sync",
        "synced_at",
        "show_sync_error",
    )
    actions = ("test_selected", "sync_selected", "enable_selected", "disable_selected")
    actions_row = ("test_one", "sync_one")
    actions_detail = ("test_one", "sync_one")
    add_fieldsets = (
        (None, {"fields": ("venue", "label", "is_enabled", "allows_transfers")}),
        (
            _("Secrets"),
            {
                "fields": SECRET_INPUTS,
                "description": _("They are stored encrypted and never shown again."),
            },
        ),
    )
    change_fieldsets = (
        (
            None,
            {"fields": ("venue", "label", "is_enabled", "allows_transfers", "api_key_tail")},
        ),
        (
            _("Connection"),
            {"fields": ("tell_connection", "tested_at", "show_test_error")},
        ),
        (_("Rights of the key"), {"fields": ("show_warnings", "show_rights")}),
        (_("Balances"), {"fields": ("tell_sync", "synced_at", "show_sync_error")}),
        (_("New secrets"), {"fields": SECRET_INPUTS}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[VenueAccount]:
        """Return all accounts; their secrets are not even read."""
        return list_accounts()

    def get_fieldsets(self, request: HttpRequest, obj: VenueAccount | None = None) -> Any:
        """Show what was found out only of an account that is there."""
        return self.add_fieldsets if obj is None else self.change_fieldsets

    def get_inlines(self, request: HttpRequest, obj: VenueAccount | None) -> Any:
        """Show balances only of an account that is there."""
        return () if obj is None else self.inlines

    # columns ----------------------------------------------------------------------------------

    @display(description=_("connection"), label=OUTCOME_LABELS)
    def show_connection(self, account: VenueAccount) -> tuple[str, str]:
        """Show how the last test ended, coloured."""
        return connection_outcome(account)

    @display(description=_("connection"))
    def tell_connection(self, account: VenueAccount) -> str:
        """Say how the last test ended."""
        return connection_outcome(account)[1]

    @display(description=_("last test error"))
    def show_test_error(self, account: VenueAccount) -> str:
        """Show why the last test failed, in the reader's language."""
        return render(account.to_test_error()) or "–"

    @display(description=_("last synchronisation error"))
    def show_sync_error(self, account: VenueAccount) -> str:
        """Show why balances could not be read, in the reader's language."""
        return render(account.to_sync_error()) or "–"

    @display(description=_("balances"), label=OUTCOME_LABELS)
    def show_sync(self, account: VenueAccount) -> tuple[str, str]:
        """Show how the last synchronisation ended, coloured."""
        return sync_outcome(account)

    @display(description=_("balances"))
    def tell_sync(self, account: VenueAccount) -> str:
        """Say how the last synchronisation ended."""
        return sync_outcome(account)[1]

    @display(description=_("warnings"), label=RISK_LABELS)
    def show_risks(self, account: VenueAccount) -> tuple[str, str]:
        """Show each warning in a word or two; the page of the account has the sentence."""
        found = [warning.template for warning in find_warnings(from_json(account.permissions))]
        if not found:
            return "none", "–"
        severity = "high" if WITHDRAW_WARNING.template in found else "low"
        return severity, " · ".join(str(RISKS[template]) for template in found)

    @display(description=_("warnings"))
    def show_warnings(self, account: VenueAccount) -> SafeString | str:
        """Show what one should know about the rights of the key."""
        found = find_warnings(from_json(account.permissions))
        lines = (("⚠", render(text)) for text in found)
        return format_html_join("", '<p class="arb-warning">{} {}</p>', lines) or "–"

    @display(description=_("rights"))
    def show_rights(self, account: VenueAccount) -> SafeString | str:
        """Show each right and whether the key has it."""
        answers = {True: YES, False: NO, None: UNTOLD}
        lines = (
            (RIGHTS.get(right.name, right.name), answers[right.is_granted])
            for right in from_json(account.permissions)
        )
        return format_html_join("", "<p>{}: {}</p>", lines) or "–"

    # actions ----------------------------------------------------------------------------------

    @admin.action(description=_("Test the connection"), permissions=["change"])
    def test_selected(self, request: HttpRequest, queryset: QuerySet[VenueAccount]) -> None:
        """Test each account's key; say of each one what it may do or why it does not work."""
        self.apply(request, queryset, self._tester(request))

    @admin.action(description=_("Synchronise balances"), permissions=["change"])
    def sync_selected(self, request: HttpRequest, queryset: QuerySet[VenueAccount]) -> None:
        """Read each account's balances."""
        self.apply(request, queryset, sync_account)

    @admin.action(description=_("Enable"), permissions=["change"])
    def enable_selected(self, request: HttpRequest, queryset: QuerySet[VenueAccount]) -> None:
        """Switch accounts on."""
        self.apply(request, queryset, self._switch(request, is_enabled=True), done=_("enabled"))

    @admin.action(description=_("Disable"), permissions=["change"])
    def disable_selected(self, request: HttpRequest, queryset: QuerySet[VenueAccount]) -> None:
        """Switch accounts off."""
        self.apply(request, queryset, self._switch(request, is_enabled=False), done=_("disabled"))

    @command_button(
        description=_("Test the connection"),
        question=_("The venue is asked what the key may do."),
        icon="network_check",
    )
    def test_one(self, request: HttpRequest, form: object, object_id: str) -> HttpResponse:
        """Test the key."""
        return self.apply_to_one(request, object_id, self._tester(request))

    @command_button(
        description=_("Synchronise balances"),
        question=_("The balances of all wallets are read from the venue."),
        icon="sync",
    )
    def sync_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Read the balances."""
        return self.apply_to_one(request, object_id, sync_account)

    def _tester(self, request: HttpRequest) -> Callable[[VenueAccount], Message]:
        def command(account: VenueAccount) -> Message:
            self.log_change(request, account, "Tested the connection.")
            report = accounts.test_connection(account_id=account.pk)
            for warning in report.warnings:
                messages.warning(request, f"{account}: {render(warning)}")
            granted = [right.name for right in report.findings if right.is_granted]
            names = ", ".join(str(RIGHTS.get(name, name)) for name in granted)
            return Message("The connection works. The key may: {rights}.", {"rights": names})

        return command

    def _switch(self, request: HttpRequest, *, is_enabled: bool) -> Callable[[VenueAccount], None]:
        def command(account: VenueAccount) -> None:
            accounts.update_account(account_id=account.pk, is_enabled=is_enabled)
            self.log_change(request, account, "Enabled." if is_enabled else "Disabled.")

        return command

    def get_actions(self, request: HttpRequest) -> Any:
        """Leave out bulk deletion: each account may be refused for its own reason."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    # the form ---------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Model, form: AccountForm, change: bool) -> None:
        """Register or change the account through its service."""
        values: dict[str, Any] = {
            "label": form.cleaned_data["label"],
            "is_enabled": form.cleaned_data["is_enabled"],
            "allows_transfers": form.cleaned_data["allows_transfers"],
        }
        typed = form.typed_secrets()
        if change:
            accounts.update_account(account_id=obj.pk, **values, **typed)
            return
        made = accounts.create_account(venue=form.cleaned_data["venue"], **values, **typed)
        obj.pk = made.pk

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let an account take its balances along, though nobody may delete those one by one.

        Of what cannot be deleted the service says why before anybody confirms it.
        """
        for account in objs:
            accounts.check_unused(account)
        objects, counts, _missing, _protected = super().get_deleted_objects(objs, request)
        return objects, counts, set(), []

    def delete_model(self, request: HttpRequest, obj: VenueAccount) -> None:
        """Remove the account through its service."""
        accounts.delete_account(account_id=obj.pk)


def connection_outcome(account: VenueAccount) -> tuple[str, str]:
    """Return how the last test of the connection ended: a key of the colours, and a word."""
    if account.is_key_refused:
        return "bad", gettext("key refused")
    if account.tested_at is None:
        return "none", gettext("not tested")
    if account.test_error_code is None:
        return "good", gettext("works")
    return "bad", gettext("failed")


def sync_outcome(account: VenueAccount) -> tuple[str, str]:
    """Return how the last synchronisation ended: a key of the colours, and a word."""
    if account.sync_error_code is not None:
        return "bad", gettext("failed")
    if account.synced_at is None:
        return "none", gettext("never")
    return "good", gettext("up to date")


def sync_account(account: VenueAccount) -> Message:
    """Read an account's balances and say how many there are."""
    rows = balances.sync_balances(account_id=account.pk)
    return Message("Balances read: {count}.", {"count": sum(bool(row.total) for row in rows)})
