"""Runs and opportunities: facts to look at, and decisions to check."""

import json
import re
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from arbplatform.console.admin import ReadOnlyAdmin, coloured, command_button
from arbplatform.core.errors import Message
from arbplatform.push.topics import TopicKind
from arbplatform.wording import render
from ledger.models import SideChoice
from strategies.admin.panel import LINK, brief, when
from strategies.admin.scanner import ScannerAdmin
from strategies.models import Decision, Opportunity, Run
from strategies.selectors import list_opportunities, list_runs
from strategies.services.decisions import render_reason
from strategies.services.evidence import recompute

DECISION_LABELS = {
    Decision.EXECUTED.value: "success",
    Decision.SKIPPED.value: "",
    Decision.DENIED.value: "warning",
}
_LEVEL = re.compile(r'\[\s+("[^"]*"),\s+("[^"]*")\s+\]')
"""A pair of texts, as the levels of a book are: one line instead of four."""


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Runs of strategies, from start to stop."""

    list_display = (
        "id",
        "strategy",
        "started_at",
        "stopped_at",
        "started_by",
        "show_stop_reason",
        "tick_count",
        "opportunity_count",
        "execution_count",
    )
    empty_hint = _("A run begins when a strategy is started, and ends when it is stopped.")
    list_filter = ("strategy",)
    search_fields = ("strategy__name",)
    fields = (
        "strategy",
        "show_params",
        "started_at",
        "stopped_at",
        "started_by",
        "show_stop_reason",
        "tick_count",
        "opportunity_count",
        "execution_count",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Return all runs."""
        return list_runs()

    @display(description=_("stop reason"), ordering="stop_reason")
    def show_stop_reason(self, run: Run) -> str:
        """Show what a person gave as the reason, or in the reader's language what went wrong."""
        return render(run.to_stop_reason())

    @display(description=_("parameters"))
    def show_params(self, run: Run) -> SafeString:
        """Show the parameters that the run had."""
        return _pretty(run.params)


@admin.register(Opportunity)
class OpportunityAdmin(ScannerAdmin):
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
    empty_hint = _(
        "Strategies write down here whatever earns enough, traded or not. Start one, or look at "
        "the scanner."
    )
    list_filter = ("decision", "reason", "strategy", ("detected_at", RangeDateTimeFilter))
    search_fields = ("summary", "route", "strategy__name")
    list_before_template = "console/live_list.html"
    live_topics = TopicKind.EXECUTIONS.value
    actions_detail = ("recompute_one",)
    fields = (
        "strategy",
        "run",
        "show_detected_at",
        "summary",
        "show_route",
        "show_edge",
        "show_notional",
        "show_expected",
        "show_decision",
        "show_reason",
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

    @display(description=_("route"))
    def show_route(self, opportunity: Opportunity) -> str:
        """Show side, market and venue of every leg."""
        legs = (leg.partition(" ") for leg in opportunity.route.split(" > "))
        sides = dict(SideChoice.choices)
        return " → ".join(f"{sides.get(side, side)} {where}" for side, _space, where in legs)

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

    @display(description=_("reason"))
    def show_reason(self, opportunity: Opportunity) -> str:
        """Show why it was left, with the figures."""
        return render_reason(opportunity) or "–"

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
