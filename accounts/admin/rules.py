"""The pages of the address book, of networks, and of who changed what."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin.asking import AskingAdmin, AskingForm
from accounts.admin.forms import ReasonForm, capitalise_labels
from accounts.domain.addresses import ADDRESS_TRANSITIONS, AddressEvent, AddressState
from accounts.domain.rules import RuleKind
from accounts.models import AddressEntry, RuleChange, VenueNetwork
from accounts.selectors import list_addresses, list_networks, list_rule_changes
from accounts.services.addresses import approve_address, propose_address, revoke_address
from accounts.services.networks import confirm_network, forget_network
from arbplatform.authors import say_author
from arbplatform.console.admin import ReadOnlyAdmin, coloured, command_button
from arbplatform.console.fields import ShownForm
from arbplatform.core.errors import Message
from arbplatform.wording import render

STATE_LABELS = {
    AddressState.PROPOSED.value: "info",
    AddressState.APPROVED.value: "success",
    AddressState.SUSPENDED.value: "danger",
    AddressState.REVOKED.value: "warning",
}
CHANGES_SHOWN_MAX = 50
EVENTS_OF_BUTTONS = {"approve_one": AddressEvent.APPROVE, "revoke_one": AddressEvent.REVOKE}


class AddressForm(AskingForm):
    """What proposes an address."""

    expected = forms.CharField(
        label=_("address"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "As you see it on the venue's own page; refused if the venue's interface states "
            "another one. Empty: what the interface states."
        ),
    )

    class Meta:
        model = AddressEntry
        fields = ("account", "asset", "network", "label")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        capitalise_labels(self)


def say_place(entry: AddressEntry) -> str:
    """Return where exactly an entry leads."""
    place = f"{entry}: {entry.address}"
    return f"{place} · {_('tag')}: {entry.tag}" if entry.tag else place


class ApproveAddressForm(ShownForm):
    """Agrees to an address that another person proposed."""

    list_rows = staticmethod(list_addresses)
    describe = staticmethod(say_place)


@admin.register(AddressEntry)
class AddressEntryAdmin(AskingAdmin):
    """Where accounts receive assets, and who agreed to it."""

    ask_text = _("Propose the address")
    ask_form = AddressForm
    ask_fieldsets = ((None, {"fields": ("account", "asset", "network", "label", "expected")}),)
    empty_hint = _(
        "No address yet. Transfers between real venues go only to addresses of this book: propose "
        "one for the receiving account, and let a second member of staff approve it. Between "
        "simulated venues the first transfer proposes its address by itself."
    )
    list_display = (
        "id", "show_state", "account", "asset", "network", "label", "address", "usable_at",
    )  # fmt: skip
    list_filter = ("state", "asset", "account__venue")
    search_fields = ("label", "address", "network")
    shown_fieldsets = (
        (None, {"fields": (
            "show_state", "show_reason", "account", "asset", "network", "address", "tag", "label",
            "proposed_by", "created_at", "approved_by", "approved_at", "usable_at", "show_changes",
        )}),
    )  # fmt: skip
    actions_detail = ("approve_one", "revoke_one")
    actions_row = ("approve_one",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AddressEntry]:
        """Return every entry with what its columns need."""
        return list_addresses()

    def is_offered(self, action: str, row: AddressEntry) -> bool:
        """Offer what the state of the entry allows."""
        return ADDRESS_TRANSITIONS.can(AddressState(row.state), EVENTS_OF_BUTTONS[action])

    def ask(self, request: HttpRequest, form: AskingForm) -> AddressEntry:
        """Propose an address."""
        typed = form.cleaned_data
        return propose_address(
            account_id=typed["account"].pk,
            asset=typed["asset"].code,
            network=typed["network"],
            label=typed["label"],
            address=typed["expected"],
            user=request.user,
        )

    def describe(self, name: str) -> Message:
        """Say that a second person is needed."""
        return Message(
            "{name} is proposed. Another member of staff has to approve it.", {"name": name}
        )

    @display(description=_("state"), ordering="state")
    def show_state(self, entry: AddressEntry) -> SafeString:
        """Show the state as a coloured label."""
        return coloured(entry.get_state_display(), STATE_LABELS[entry.state])

    @display(description=_("reason"))
    def show_reason(self, entry: AddressEntry) -> str:
        """Show why it is in its state; the platform's own reasons in the reader's language."""
        return render(entry.to_reason()) or "–"

    @display(description=_("history"))
    def show_changes(self, entry: AddressEntry) -> SafeString | str:
        """Show who did what, when and why, the oldest first."""
        changes = list_rule_changes(kind=RuleKind.ADDRESS, target_id=entry.pk)[:CHANGES_SHOWN_MAX]
        lines = (
            (
                f"{change.changed_at:%Y-%m-%d %H:%M:%S}",
                say_author(change.changed_by),
                event_label(change.event),
                render(change.to_reason()),
            )
            for change in changes
        )
        return format_html_join("", "<p>{} · {} · {} {}</p>", lines) or "–"

    @command_button(
        description=_("Approve"),
        question=_(
            "Compare the address with the venue's own page, letter by letter. Only somebody else "
            "than its author can approve it; it is usable when the cooling time is over."
        ),
        icon="how_to_reg",
        permissions=("act",),
        form_class=ApproveAddressForm,
    )
    def approve_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Approve the entry."""

        def command(entry: AddressEntry) -> None:
            approve_address(entry_id=entry.pk, user=request.user)
            self.log_change(request, entry, "Approved.")

        return self.apply_to_one(request, object_id, command, done=_("approved"))

    @command_button(
        description=_("Revoke"),
        question=_("Nothing is sent there any more, at once."),
        icon="block",
        permissions=("act",),
        form_class=ReasonForm,
    )
    def revoke_one(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Revoke the entry."""
        reason = form.cleaned_data["reason"]

        def command(entry: AddressEntry) -> None:
            revoke_address(entry_id=entry.pk, reason=reason, user=request.user)
            self.log_change(request, entry, reason)

        return self.apply_to_one(request, object_id, command, done=_("revoked"), form=form)


class NetworkForm(AskingForm):
    """What confirms the name of a network."""

    class Meta:
        model = VenueNetwork
        fields = ("venue", "network", "venue_name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        capitalise_labels(self)


@admin.register(VenueNetwork)
class VenueNetworkAdmin(AskingAdmin):
    """What venues call our networks, as people confirmed it."""

    ask_text = _("Confirm the network")
    ask_form = NetworkForm
    ask_fieldsets = ((None, {"fields": ("venue", "network", "venue_name")}),)
    empty_hint = _(
        "Nothing is confirmed yet. Before funds travel between real venues a person says here what "
        "each venue calls the network; names of simulated venues need no confirmation."
    )
    list_display = ("venue", "network", "venue_name", "confirmed_by", "created_at")
    list_filter = ("venue", "network")
    shown_fieldsets = ((None, {"fields": list_display}),)
    actions_detail = ("forget_one",)
    actions_row = ("forget_one",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[VenueNetwork]:
        """Return every confirmed name."""
        return list_networks()

    def ask(self, request: HttpRequest, form: AskingForm) -> VenueNetwork:
        """Confirm a name."""
        return confirm_network(user=request.user, **form.cleaned_data)

    def describe(self, name: str) -> Message:
        """Say that it holds."""
        return Message("{name} is confirmed.", {"name": name})

    @command_button(
        description=_("Take back"),
        question=_("Nothing is sent on this network until its name is confirmed anew."),
        icon="block",
        permissions=("act",),
    )
    def forget_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Take the confirmation back."""

        def command(row: VenueNetwork) -> None:
            self.log_change(request, row, "Taken back.")
            forget_network(network_id=row.pk, user=request.user)

        return self.apply_to_one(request, object_id, command, done=_("taken back"))


@admin.register(RuleChange)
class RuleChangeAdmin(ReadOnlyAdmin):
    """Who changed what transfers are measured by, when, from what to what."""

    list_display = (
        "changed_at", "kind", "name", "show_event", "show_change", "show_reason", "show_author",
    )  # fmt: skip
    empty_hint = _(
        "Changes of addresses, networks and limits are written down here, with who made them "
        "and why."
    )
    list_filter = ("kind", ("changed_at", RangeDateTimeFilter))
    search_fields = ("name", "reason", "changed_by")
    date_hierarchy = "changed_at"
    fields = list_display
    readonly_fields = fields

    @display(description=_("event"), ordering="event")
    def show_event(self, change: RuleChange) -> str:
        """Show what was done."""
        return event_label(change.event)

    @display(description=_("reason"))
    def show_reason(self, change: RuleChange) -> str:
        """Show why; the platform's own reasons in the reader's language."""
        return render(change.to_reason()) or "–"

    @display(description=_("changed by"), ordering="changed_by")
    def show_author(self, change: RuleChange) -> str:
        """Show who did it."""
        return say_author(change.changed_by)

    @display(description=_("change"))
    def show_change(self, change: RuleChange) -> SafeString | str:
        """Show each value that changed: before and after."""
        rows = (
            (change.before.get(name) or "–", change.after.get(name) or "–")
            for name in sorted({*change.before, *change.after})
            if change.before.get(name) != change.after.get(name)
        )
        return format_html_join("; ", "{} → {}", rows) or "–"


EVENTS = {
    "set": _("set"),
    "propose": _("proposed"),
    "approve": _("approved"),
    "suspend": _("suspended"),
    "revoke": _("revoked"),
    "confirm": _("confirmed"),
    "forget": _("taken back"),
}


def event_label(event: str) -> str:
    """Return what was done, for a person."""
    return str(EVENTS.get(event, event))
