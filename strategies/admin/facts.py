"""Runs, opportunities and executions: facts to look at, and decisions to check."""

import json
import re
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, ReadOnlyInline, command_button, plain
from arbplatform.core.errors import Message
from arbplatform.wording import render
from ledger.models import Order, OrderStateChoice
from strategies.admin.panel import brief, coloured, when
from strategies.models import Decision, Execution, ExecutionStateChoice, Opportunity, Run
from strategies.selectors import list_executions, list_opportunities, list_runs
from strategies.services.evidence import recompute

EXECUTION_LABELS = {
    ExecutionStateChoice.EXECUTING.value: "info",
    ExecutionStateChoice.COMPLETED.value: "success",
    ExecutionStateChoice.INCOMPLETE.value: "warning",
    ExecutionStateChoice.FAILED.value: "",
    ExecutionStateChoice.UNKNOWN.value: "danger",
}
DECISION_LABELS = {
    Decision.EXECUTED.value: "success",
    Decision.SKIPPED.value: "",
    Decision.DENIED.value: "warning",
}
ORDER_LABELS = {
    OrderStateChoice.FILLED.value: "success",
    OrderStateChoice.CANCELED.value: "warning",
    OrderStateChoice.REJECTED.value: "danger",
    OrderStateChoice.UNKNOWN.value: "danger",
    OrderStateChoice.OPEN.value: "info",
    OrderStateChoice.PENDING.value: "",
    OrderStateChoice.SUBMITTING.value: "info",
}
_LEVEL = re.compile(r'\[\s+("[^"]*"),\s+("[^"]*")\s+\]')
"""A pair of texts, as the levels of a book are: one line instead of four."""
LINK = '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>'


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Runs of strategies, from start to stop."""

    list_display = (
        "id",
        "strategy",
        "started_at",
        "stopped_at",
        "started_by",
        "stop_reason",
        "tick_count",
        "opportunity_count",
        "execution_count",
    )
    list_filter = ("strategy",)
    search_fields = ("strategy__name",)
    fields = (
        "strategy",
        "show_params",
        "started_at",
        "stopped_at",
        "started_by",
        "stop_reason",
        "tick_count",
        "opportunity_count",
        "execution_count",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Return all runs."""
        return list_runs()

    @display(description=_("parameters"))
    def show_params(self, run: Run) -> SafeString:
        """Show the parameters that the run had."""
        return _pretty(run.params)


@admin.register(Opportunity)
class OpportunityAdmin(ReadOnlyAdmin):
    """What strategies saw, with the evidence of each decision."""

    list_display = (
        "id",
        "show_detected_at",
        "strategy",
        "summary",
        "show_edge",
        "show_expected",
        "show_decision",
        "reason",
        "show_execution",
    )
    list_filter = ("decision", "reason", "strategy")
    search_fields = ("summary", "route", "strategy__name")
    date_hierarchy = "detected_at"
    actions_detail = ("recompute_one",)
    fields = (
        "strategy",
        "run",
        "show_detected_at",
        "summary",
        "route",
        "show_edge",
        "show_notional",
        "show_expected",
        "show_decision",
        "reason",
        "show_execution",
        "show_check",
        "show_evidence",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Opportunity]:
        """Return all opportunities; their evidence is read on their own pages only."""
        return list_opportunities()

    @display(description=_("detected at"), ordering="detected_at")
    def show_detected_at(self, opportunity: Opportunity) -> str:
        """Show the moment to the second."""
        return when(opportunity.detected_at)

    @display(description=_("edge [bps]"), ordering="edge_bps")
    def show_edge(self, opportunity: Opportunity) -> str:
        """Show the edge with two places."""
        return f"{opportunity.edge_bps:.2f}"

    @display(description=_("notional"), ordering="notional")
    def show_notional(self, opportunity: Opportunity) -> str:
        """Show the notional with its asset."""
        return f"{brief(opportunity.notional)} {opportunity.profit_asset.code}"

    @display(description=_("expected profit"), ordering="expected_profit")
    def show_expected(self, opportunity: Opportunity) -> str:
        """Show the expected profit with its asset."""
        return f"{brief(opportunity.expected_profit)} {opportunity.profit_asset.code}"

    @display(description=_("decision"), ordering="decision")
    def show_decision(self, opportunity: Opportunity) -> SafeString:
        """Show the decision as a coloured label."""
        text = opportunity.get_decision_display()
        return coloured(text, DECISION_LABELS[opportunity.decision])

    @display(description=_("execution"))
    def show_execution(self, opportunity: Opportunity) -> str:
        """Link to the execution, if there is one."""
        execution = getattr(opportunity, "execution", None)
        if execution is None:
            return "–"
        address = reverse("admin:strategies_execution_change", args=[execution.pk])
        return format_html(LINK, address, execution.get_state_display())

    @display(description=_("recomputed from the evidence"))
    def show_check(self, opportunity: Opportunity) -> str:
        """Run the plugin on the evidence and show what comes out."""
        check = recompute(opportunity_id=opportunity.pk)
        if check.matches:
            return str(_("The plugin comes to the same decision."))
        return "; ".join(map(str, check.differences))

    @display(description=_("evidence"))
    def show_evidence(self, opportunity: Opportunity) -> SafeString:
        """Show all that the decision was based on."""
        return _pretty(opportunity.evidence)

    @command_button(
        description=_("Recompute"),
        question=_("The plugin runs again on the evidence; nothing is traded."),
        icon="calculate",
        permissions=("view",),
    )
    def recompute_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        """Run the plugin on the evidence and report what comes out."""
        return self.apply_to_one(request, object_id, _recompute)


class LegInline(ReadOnlyInline):
    """The orders of an execution."""

    model = Order
    fk_name = "execution"
    verbose_name_plural = _("orders")
    ordering = ("leg_index", "id")
    fields = (
        "leg_index",
        "market",
        "side",
        "show_quantity",
        "show_price",
        "show_state",
        "show_filled",
        "show_cost",
        "error",
    )
    readonly_fields = fields

    @display(description=_("quantity"))
    def show_quantity(self, order: Order) -> str:
        """Show the ordered quantity."""
        return plain(order.quantity)

    @display(description=_("limit price"))
    def show_price(self, order: Order) -> str:
        """Show the limit price."""
        return plain(order.price)

    @display(description=_("state"))
    def show_state(self, order: Order) -> SafeString:
        """Show the state as a coloured label."""
        return coloured(order.get_state_display(), ORDER_LABELS[order.state])

    @display(description=_("filled quantity"))
    def show_filled(self, order: Order) -> str:
        """Show the filled quantity."""
        return plain(order.filled_quantity)

    @display(description=_("filled cost"))
    def show_cost(self, order: Order) -> str:
        """Show what the filled part cost or brought."""
        return plain(order.filled_cost)


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    """What strategies did, with the orders as legs."""

    list_display = (
        "id",
        "show_created_at",
        "strategy",
        "show_summary",
        "show_state",
        "show_expected",
        "show_realised",
        "show_residuals",
    )
    list_filter = ("state", "strategy")
    search_fields = ("opportunity__summary", "strategy__name")
    date_hierarchy = "created_at"
    inlines = (LegInline,)
    fields = (
        "strategy",
        "run",
        "show_opportunity",
        "show_state",
        "show_expected",
        "show_realised",
        "show_residuals",
        "show_created_at",
        "show_finished_at",
        "show_plan",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        """Return all executions."""
        return list_executions()

    @display(description=_("created at"), ordering="created_at")
    def show_created_at(self, execution: Execution) -> str:
        """Show the beginning to the second."""
        return when(execution.created_at)

    @display(description=_("finished at"), ordering="finished_at")
    def show_finished_at(self, execution: Execution) -> str:
        """Show the end to the second."""
        return when(execution.finished_at)

    @display(description=_("summary"))
    def show_summary(self, execution: Execution) -> str:
        """Show what was bought and sold where."""
        return execution.opportunity.summary

    @display(description=_("opportunity"))
    def show_opportunity(self, execution: Execution) -> str:
        """Link to the opportunity with its evidence."""
        address = reverse("admin:strategies_opportunity_change", args=[execution.opportunity_id])
        return format_html(LINK, address, execution.opportunity.summary)

    @display(description=_("state"), ordering="state")
    def show_state(self, execution: Execution) -> SafeString:
        """Show the state as a coloured label."""
        return coloured(execution.get_state_display(), EXECUTION_LABELS[execution.state])

    @display(description=_("expected profit"), ordering="expected_profit")
    def show_expected(self, execution: Execution) -> str:
        """Show the expected profit with its asset."""
        return f"{brief(execution.expected_profit)} {execution.profit_asset.code}"

    @display(description=_("realised profit"), ordering="realised_profit")
    def show_realised(self, execution: Execution) -> str:
        """Show the realised profit with its asset."""
        return f"{brief(execution.realised_profit)} {execution.profit_asset.code}"

    @display(description=_("residuals"))
    def show_residuals(self, execution: Execution) -> str:
        """Show what else moved."""
        return ", ".join(f"{amount} {code}" for code, amount in execution.residuals.items())

    @display(description=_("plan"))
    def show_plan(self, execution: Execution) -> SafeString:
        """Show the legs as they were decided."""
        heads = [
            _("venue"),
            _("symbol"),
            _("side"),
            _("quantity"),
            _("limit price"),
            _("expected to spend"),
            _("expected to receive"),
        ]
        names = ["venue", "symbol", "side", "quantity", "limit_price"]
        names += ["expected_spent", "expected_received"]
        cell = '<td class="pr-6 py-1">{}</td>'
        rows = [[render(str(leg.get(name, ""))) for name in names] for leg in execution.plan]
        lines = [format_html_join("", cell, ((value,) for value in row)) for row in rows]
        head = '<th class="font-semibold pr-6 py-1 text-left">{}</th>'
        return format_html(
            "<table><tr>{}</tr>{}</table>",
            format_html_join("", head, ((capfirst(text),) for text in heads)),
            format_html_join("", "<tr>{}</tr>", ((line,) for line in lines)),
        )


def _recompute(opportunity: Opportunity) -> Message:
    check = recompute(opportunity_id=opportunity.pk)
    if check.matches:
        return Message("The plugin comes to the same decision.")
    return Message(
        "The plugin comes to another decision: {differences}",
        {"differences": "; ".join(map(str, check.differences))},
    )


def _pretty(value: Any) -> SafeString:
    text = _LEVEL.sub(r"[\1, \2]", json.dumps(value, ensure_ascii=False, indent=2))
    return format_html(
        '<pre class="overflow-auto text-xs" style="max-height: 40rem">{}</pre>', text
    )
