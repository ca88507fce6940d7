"""The pages of the double-entry books."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from accounts.models import VenueAccount, WalletChoice
from accounts.selectors import list_accounts
from arbplatform.console.admin import ReadOnlyAdmin, ReadOnlyInline, command_button, plain
from arbplatform.core.decimals import Amount
from arbplatform.core.errors import Message
from arbplatform.wording import render
from ledger.models import BookTotal, Entry, Posting
from ledger.selectors import list_book_totals, list_entries, list_postings
from ledger.services.decisions import BY_CONSOLE, memo_of
from ledger.services.reconciliation import adopt_difference, compare_with_venue
from markets.domain.funds import Wallet

_NO_VENUE = gettext_noop(
    "This ledger account is not kept by any venue: there is nothing to compare."
)


class PostingInline(ReadOnlyInline):
    """The lines of an entry."""

    model = Posting
    fields = ("book", "account", "wallet", "asset", "show_amount")
    readonly_fields = fields
    show_change_link = False
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        """Return postings with what their columns need."""
        return list_postings()

    @display(description=_("amount"))
    def show_amount(self, posting: Posting) -> str:
        """Show the amount."""
        return plain(posting.amount)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """The double-entry books."""

    inlines = (PostingInline,)
    list_display = ("id", "occurred_at", "kind", "strategy", "show_movements", "show_memo", "key")
    empty_hint = _(
        "The first entry is the opening balance of a venue account: test its connection, or "
        "start a strategy on it."
    )
    list_filter = ("kind", "strategy", ("occurred_at", RangeDateTimeFilter))
    search_fields = ("key", "memo", "strategy__name")
    # a memo of the platform is kept as a template and its values, which are what is found of it
    search_help_text = _("Key, strategy, or an id, a name or typed words in the memo")
    fields = (
        "key",
        "kind",
        "occurred_at",
        "created_at",
        "strategy",
        "execution",
        "transfer",
        "reverses",
        "show_memo",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        """Return entries with their lines."""
        return list_entries()

    @display(description=_("memo"))
    def show_memo(self, entry: Entry) -> str:
        """Show what it is about: as typed, or in the reader's language."""
        return render(entry.to_memo()) or "–"

    @display(description=_("wallets"))
    def show_movements(self, entry: Entry) -> SafeString | str:
        """Show what the entry did to the wallets."""
        lines = (
            (plain(line.amount), line.asset.code, line.account)
            for line in entry.postings.all()
            if line.wallet
        )
        return format_html_join("", "<div>{} {} · {}</div>", lines) or "–"


@admin.register(BookTotal)
class BookTotalAdmin(ReadOnlyAdmin):
    """What every ledger account holds, to the last booked fill."""

    list_display = ("book", "account", "wallet", "asset", "show_total", "show_reserved")
    empty_hint = _(
        "Totals appear with the first entry: test the connection of a venue account, and its "
        "opening balance is booked."
    )
    list_filter = ("book", "account__venue", "account", "wallet", "asset")
    search_fields = ("asset__code", "account__label", "account__venue__code")
    fields = list_display
    readonly_fields = list_display
    actions = ("compare_selected",)
    actions_detail = ("compare_one", "adopt_one")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BookTotal]:
        """Return totals with what their columns need."""
        return list_book_totals()

    def has_compare_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        """Return whether the person may ask venues for statements."""
        return request.user.has_perm("ledger.view_booktotal")

    def has_adopt_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        """Return whether the person may book what happened without the platform."""
        return request.user.has_perm("ledger.add_entry")

    @display(description=_("total"), ordering="total")
    def show_total(self, row: BookTotal) -> str:
        """Show the total."""
        return plain(row.total)

    @display(description=_("reserved"))
    def show_reserved(self, row: BookTotal) -> str:
        """Show what orders and transfers under way may still spend of it."""
        reserved: Amount = row.reserved  # type: ignore[attr-defined]  # added by the query
        return plain(reserved) if row.wallet else "–"

    @admin.action(description=_("Compare with venue"), permissions=["compare"])
    def compare_selected(self, request: HttpRequest, queryset: QuerySet[BookTotal]) -> None:
        """Compare all wallets of the chosen rows' accounts with their venues' statements."""
        ids = set(queryset.values_list("account_id", flat=True))
        self.apply(request, list_accounts().filter(pk__in=ids - {None}), compare)

    @command_button(
        description=_("Compare with venue"),
        question=_("All wallets of the account are compared with what its venue states now."),
        icon="balance",
        permissions=("compare",),
    )
    def compare_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Compare all wallets of the row's account with its venue's statement."""
        return self.apply_to_one(request, object_id, compare_row)

    @command_button(
        description=_("Book the difference"),
        question=_(
            "What the venue states more or less than the books, of this asset in this wallet, is "
            "booked as moved without the platform. Only do so if you know what it was."
        ),
        icon="edit_note",
        permissions=("adopt",),
    )
    def adopt_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Book the difference to the venue's statement as an external movement."""

        def adopt(row: BookTotal) -> Message:
            if row.account_id is None or not row.wallet:
                return Message(_NO_VENUE)
            entry = adopt_difference(
                account_id=row.account_id,
                wallet=Wallet(row.wallet),
                asset=row.asset.code,
                memo=memo_of(request.user, BY_CONSOLE),
            )
            return Message("Booked as {key}.", {"key": entry.key})

        return self.apply_to_one(request, object_id, adopt)


def compare_row(row: BookTotal) -> Message:
    """Compare the account of a row, if it has one."""
    if row.account is None:
        return Message(_NO_VENUE)
    return compare(row.account)


def compare(account: VenueAccount) -> Message:
    """Compare an account with its venue's statement and say every difference."""
    differences = compare_with_venue(account_id=account.pk)
    if not differences:
        return Message("The books and the venue's statement are equal in every asset.")
    listed = "; ".join(
        f"{WalletChoice(row.wallet).label} {row.asset}: {plain(row.booked)} / {plain(row.stated)}"
        for row in differences
    )
    return Message(
        "{count} differences (by the books / by the venue): {listed}",
        {"count": len(differences), "listed": listed},
    )
