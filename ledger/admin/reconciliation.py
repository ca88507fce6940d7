"""Reconciliation in the console: what differs, what it means, and what to do."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, coloured, command_button, plain
from arbplatform.core.errors import Message
from arbplatform.wording import render
from ledger.admin.forms import FeeForm, FiguresForm
from ledger.domain.advice import Advice, advise
from ledger.domain.reconciliation import ACTIVE_STATES, DiscrepancyKind, DiscrepancyState
from ledger.models import (
    AccountReconciliation,
    Discrepancy,
    DiscrepancyStateChoice,
    ReconciliationRun,
    RunOutcomeChoice,
)
from ledger.selectors.reconciliation import (
    count_unsolved,
    list_discrepancies,
    list_reconciliations,
    list_runs,
)
from ledger.services.decisions import BY_CONSOLE, book_discrepancy, look_again
from ledger.services.discrepancies import acknowledge
from ledger.services.fee_decisions import settle_fee
from ledger.services.fees import FILL_ID
from ledger.services.reconciler import reconcile_account

STATE_LABELS = {
    DiscrepancyStateChoice.OPEN.value: "warning",
    DiscrepancyStateChoice.EXPLAINED.value: "info",
    DiscrepancyStateChoice.BOOKED.value: "success",
    DiscrepancyStateChoice.ALARMED.value: "danger",
    DiscrepancyStateChoice.CLOSED.value: "",
}
OUTCOME_LABELS = {
    RunOutcomeChoice.CLEAN.value: "success",
    RunOutcomeChoice.DIFFERENT.value: "warning",
    RunOutcomeChoice.FAILED.value: "danger",
}


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnlyAdmin):
    """On what books and venues disagree, and what happened without the platform."""

    list_display = (
        "last_seen_at",
        "account",
        "kind",
        "show_state",
        "show_what",
        "show_booked",
        "show_stated",
        "seen_count",
    )
    empty_hint = _(
        "Books and venues agree. What they disagree on, and what was done without the platform, "
        "appears here."
    )
    list_filter = ("state", "kind", "account__venue", "account")
    search_fields = ("subject", "asset", "account__label", "account__venue__code")
    actions = ("look_again_selected", "acknowledge_selected")
    actions_detail = ("look_again_one", "book_one", "settle_fee_one", "acknowledge_one")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "show_state",
                    "account",
                    "kind",
                    "show_what",
                    "show_risk",
                    "show_action",
                    "show_choice",
                )
            },
        ),
        (
            _("Figures"),
            {"fields": ("wallet", "asset", "show_booked", "show_stated", "show_evidence", "entry")},
        ),
        (
            # a word of its own: the bare one is also that of a button of the console
            pgettext_lazy("of a difference", "History"),
            {
                "fields": (
                    "first_seen_at",
                    "last_seen_at",
                    "seen_count",
                    "closed_at",
                    "acknowledged_by",
                    "acknowledged_at",
                    "show_note",
                )
            },
        ),
    )
    readonly_fields = (
        "show_state",
        "show_what",
        "show_risk",
        "show_action",
        "show_choice",
        "show_booked",
        "show_stated",
        "show_evidence",
        "show_note",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Discrepancy]:
        """Return discrepancies with what their columns need."""
        return list_discrepancies()

    def is_offered(self, action: str, row: Discrepancy) -> bool:
        """Offer to settle a fee only where a trade has none."""
        if action != "settle_fee_one":
            return True
        is_doubt = row.kind == DiscrepancyKind.FEE and FILL_ID in row.evidence
        return is_doubt and row.state in ACTIVE_STATES

    def has_compare_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        """Return whether the person may ask venues for statements."""
        return request.user.has_perm("ledger.view_discrepancy")

    def has_decide_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        """Return whether the person may say what a discrepancy was."""
        return request.user.has_perm("ledger.add_entry")

    @display(description=_("state"), ordering="state")
    def show_state(self, row: Discrepancy) -> SafeString:
        """Show the state as a coloured label."""
        return coloured(row.get_state_display(), STATE_LABELS[row.state])

    @display(description=_("what happened"))
    def show_what(self, row: Discrepancy) -> str:
        """Show the explanation in the reader's language."""
        return render(row.to_message())

    @display(description=_("what is at risk"))
    def show_risk(self, row: Discrepancy) -> str:
        """Show what may be lost."""
        return render(_advice(row).risk)

    @display(description=_("what the platform does"))
    def show_action(self, row: Discrepancy) -> str:
        """Show what is done about it."""
        return render(_advice(row).action)

    @display(description=_("what you can do"))
    def show_choice(self, row: Discrepancy) -> str:
        """Show what a person can do."""
        return render(_advice(row).choice)

    @display(description=_("by the books"))
    def show_booked(self, row: Discrepancy) -> str:
        """Show what the books say."""
        return plain(row.booked)

    @display(description=_("by the venue"))
    def show_stated(self, row: Discrepancy) -> str:
        """Show what the venue states."""
        return plain(row.stated)

    @display(description=_("evidence"))
    def show_evidence(self, row: Discrepancy) -> SafeString | str:
        """Show the venue's own figures."""
        lines = ((name, value) for name, value in row.evidence.items() if value)
        return format_html_join("", "<div>{}: {}</div>", lines) or "–"

    @display(description=_("note"))
    def show_note(self, row: Discrepancy) -> str:
        """Show what a person says it is: as typed, or in the reader's language."""
        return render(row.to_note()) or "–"

    @admin.action(description=_("Look again"), permissions=["compare"])
    def look_again_selected(self, request: HttpRequest, queryset: QuerySet[Discrepancy]) -> None:
        """Compare the accounts of the chosen rows."""
        self.apply(request, queryset, _look_again)

    @admin.action(description=_("Acknowledge"), permissions=["decide"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Discrepancy]) -> None:
        """Note that the person knows what the chosen rows are."""
        self.apply(request, queryset, lambda row: _acknowledge(request, row))

    @command_button(
        description=_("Look again"),
        question=_("The account is compared with everything that its venue tells now."),
        icon="travel_explore",
        permissions=("compare",),
    )
    def look_again_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Compare the account of the row."""
        return self.apply_to_one(request, object_id, _look_again)

    @command_button(
        description=_("Book it as moved outside"),
        question=_(
            "The difference, as it is shown, is booked as moved without the platform; a booked "
            "trade that the venue has voided is reversed. Only do so if you know what it was."
        ),
        icon="edit_note",
        permissions=("decide",),
        form_class=FiguresForm,
    )
    def book_one(self, request: HttpRequest, form: FiguresForm, object_id: str) -> HttpResponse:
        """Book the difference, or reverse the trade."""

        def book(row: Discrepancy) -> Message:
            done = book_discrepancy(
                discrepancy_id=row.pk,
                note=BY_CONSOLE,
                user=request.user,
                seen=form.cleaned_data["seen"],
            )
            return Message("Booked as {key}.", {"key": str(done.entry)})

        return self.apply_to_one(request, object_id, book, form=form)

    @command_button(
        description=_("Settle the fee"),
        question=_(
            "What you say that the trade cost is booked as its fee, with your name and reason, and "
            "the venue is asked for it no more. Look it up in the venue's own pages first."
        ),
        icon="receipt_long",
        permissions=("decide",),
        form_class=FeeForm,
    )
    def settle_fee_one(self, request: HttpRequest, form: FeeForm, object_id: str) -> HttpResponse:
        """Book what the trade cost by the person's word."""
        said = {name: form.cleaned_data[name] for name in form.field_order}

        def settle(row: Discrepancy) -> Message:
            done = settle_fee(discrepancy_id=row.pk, user=request.user, **said)
            self.log_change(request, row, said["note"])
            return Message("Booked as {key}.", {"key": str(done.entry)})

        return self.apply_to_one(request, object_id, settle, form=form)

    @command_button(
        description=_("Acknowledge"),
        question=_("You know what it is. Nothing is booked; if its figures change, it returns."),
        icon="task_alt",
        permissions=("decide",),
        form_class=FiguresForm,
    )
    def acknowledge_one(
        self, request: HttpRequest, form: FiguresForm, object_id: str
    ) -> HttpResponse:
        """Note that the person knows what it is."""

        def command(row: Discrepancy) -> None:
            _acknowledge(request, row, form.cleaned_data["seen"])

        return self.apply_to_one(request, object_id, command, form=form)


@admin.register(AccountReconciliation)
class AccountReconciliationAdmin(ReadOnlyAdmin):
    """When each account was last compared, and last equal to its venue."""

    list_display = ("account", "last_run_at", "last_clean_at", "failure_count", "show_unsolved")
    empty_hint = _(
        "Accounts are compared with their venues as soon as one was tested or traded on."
    )
    list_filter = ("account__venue",)
    search_fields = ("account__label", "account__venue__code")
    fields = list_display
    readonly_fields = list_display
    actions = ("compare_selected",)
    actions_detail = ("compare_one",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountReconciliation]:
        """Return every account that was ever compared."""
        return list_reconciliations()

    def has_compare_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        """Return whether the person may ask venues for statements."""
        return request.user.has_perm("ledger.view_accountreconciliation")

    @display(description=_("unsolved"))
    def show_unsolved(self, row: AccountReconciliation) -> int:
        """Show how many discrepancies need something."""
        return count_unsolved(row.account_id)

    @admin.action(description=_("Compare with venue"), permissions=["compare"])
    def compare_selected(
        self, request: HttpRequest, queryset: QuerySet[AccountReconciliation]
    ) -> None:
        """Compare the chosen accounts."""
        self.apply(request, queryset, _compare)

    @command_button(
        description=_("Compare with venue"),
        question=_("The account is compared with everything that its venue tells now."),
        icon="balance",
        permissions=("compare",),
    )
    def compare_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Compare the account of the row."""
        return self.apply_to_one(request, object_id, _compare)


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin):
    """What each comparison came to."""

    list_display = (
        "started_at",
        "account",
        "show_outcome",
        "booked_count",
        "unsolved_count",
        "show_error",
    )
    empty_hint = _(
        "Every account is compared with its venue once a minute while the platform runs."
    )
    list_filter = ("outcome", "account__venue", "account")
    fields = (*list_display, "finished_at", "error_code")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReconciliationRun]:
        """Return all comparisons."""
        return list_runs()

    @display(description=_("outcome"), ordering="outcome")
    def show_outcome(self, run: ReconciliationRun) -> SafeString:
        """Show the outcome as a coloured label."""
        return coloured(run.get_outcome_display(), OUTCOME_LABELS[run.outcome])

    @display(description=_("error"))
    def show_error(self, run: ReconciliationRun) -> str:
        """Show what went wrong, in the reader's language."""
        return render(run.to_error())


def _advice(row: Discrepancy) -> Advice:
    return advise(DiscrepancyKind(row.kind), DiscrepancyState(row.state))


def _look_again(row: Discrepancy) -> Message:
    return _say(look_again(discrepancy_id=row.pk))


def _compare(row: AccountReconciliation) -> Message:
    return _say(reconcile_account(account_id=row.account_id, asks_all=True))


def _acknowledge(request: HttpRequest, row: Discrepancy, seen: str | None = None) -> None:
    acknowledge(discrepancy_id=row.pk, note=BY_CONSOLE, user=request.user, seen=seen)


def _say(run: ReconciliationRun) -> Message:
    if run.error:
        return Message("The venue did not tell everything: {cause}", {"cause": run.to_error()})
    return Message(
        "Compared: {booked} booked, {unsolved} unsolved.",
        {"booked": run.booked_count, "unsolved": run.unsolved_count},
    )
