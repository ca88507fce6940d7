"""Executions: what strategies did, what was left over, and what was done about it."""

from collections.abc import Mapping
from datetime import datetime
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

from arbplatform.authors import keep_author
from arbplatform.console.admin import ReadOnlyInline, coloured, command_button, plain
from arbplatform.console.fields import SeenForm
from arbplatform.console.tables import table
from arbplatform.push.topics import TopicKind
from arbplatform.wording import render
from ledger.models import Order, OrderStateChoice, SideChoice
from strategies.admin.attributions import show_attribution
from strategies.admin.failures import show_failure
from strategies.admin.flattening import FlattenAdmin
from strategies.admin.panel import LINK, brief, when
from strategies.domain.repair import Action
from strategies.models import Execution, ExecutionStateChoice
from strategies.selectors import find_attribution, list_executions
from strategies.services.acknowledgements import acknowledge_execution, name_exposure
from strategies.services.decisions import render_steps

EXECUTION_LABELS = {
    ExecutionStateChoice.EXECUTING.value: "info",
    ExecutionStateChoice.COMPLETED.value: "success",
    ExecutionStateChoice.INCOMPLETE.value: "warning",
    ExecutionStateChoice.UNWOUND.value: "warning",
    ExecutionStateChoice.HELD.value: "danger",
    ExecutionStateChoice.FAILED.value: "",
    ExecutionStateChoice.UNKNOWN.value: "danger",
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
SIDE_LABELS = {SideChoice.BUY.value: "success", SideChoice.SELL.value: "danger"}
ACTION_LABELS = {
    Action.WAIT.value: _("wait"),
    Action.DONE.value: _("done"),
    Action.DUST.value: _("dust"),
    Action.PROCEED.value: _("complete"),
    Action.REVERSE.value: _("reverse"),
    Action.HOLD.value: _("hold"),
    Action.REOPEN.value: _("begun anew"),
}


class LegInline(ReadOnlyInline):
    """The orders of an execution."""

    model = Order
    fk_name = "execution"
    verbose_name_plural = _("orders")
    ordering = ("leg_index", "id")
    fields = (
        "show_leg",
        "market",
        "show_side",
        "show_quantity",
        "show_price",
        "show_state",
        "show_filled",
        "show_cost",
        "show_error",
    )
    readonly_fields = fields

    @display(description=_("leg"))
    def show_leg(self, order: Order) -> int:
        """Show which leg it is, counted from 1 as everywhere on the page."""
        return order.leg_index + 1

    @display(description=_("side"))
    def show_side(self, order: Order) -> SafeString:
        """Show the side as a coloured label."""
        return coloured(order.get_side_display(), SIDE_LABELS[order.side])

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

    @display(description=_("error"))
    def show_error(self, order: Order) -> str:
        """Show what went wrong, in the reader's language."""
        return render(order.to_error())


def say_residuals(execution: Execution) -> str:
    """Return what else moved than the profit."""
    return ", ".join(f"{amount} {code}" for code, amount in execution.residuals.items())


class ExposureForm(SeenForm):
    """Takes note of what is left over."""

    list_rows = staticmethod(list_executions)
    name_seen = staticmethod(name_exposure)
    describe = staticmethod(say_residuals)


@admin.register(Execution)
class ExecutionAdmin(FlattenAdmin):
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
    empty_hint = _(
        "Executions appear as soon as a strategy trades. Start one; its page says why it does "
        "not trade."
    )
    list_filter = ("state", "strategy", ("created_at", RangeDateTimeFilter))
    search_fields = ("opportunity__summary", "strategy__name")
    list_before_template = "console/live_list.html"
    live_topics = TopicKind.EXECUTIONS.value
    inlines = (LegInline,)
    actions = ("acknowledge_selected",)
    actions_detail = ("see_flattening", "acknowledge_one")
    fields = (
        "strategy",
        "run",
        "show_opportunity",
        "show_state",
        "show_failure",
        "show_expected",
        "show_realised",
        "show_residuals",
        "show_created_at",
        "show_finished_at",
        "lease_holder",
        "lease_fence",
        "show_acknowledged",
        "show_attribution",
        "show_steps",
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

    def get_fields(self, request: HttpRequest, obj: Execution | None = None) -> list[str]:
        """Return the fields; the one for failures only where there is one."""
        has_failed = obj is not None and obj.state == ExecutionStateChoice.FAILED
        return [name for name in self.fields if has_failed or name != "show_failure"]

    @display(description=_("why nothing was filled"))
    def show_failure(self, execution: Execution) -> SafeString:
        """Show what became of each leg."""
        return show_failure(execution)

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
        return say_residuals(execution)

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
        return table(
            heads,
            [[render(str(leg.get(name, ""))) for name in names] for leg in execution.plan],
        )

    @display(description=_("repair"))
    def show_steps(self, execution: Execution) -> str:
        """Show what was decided after some leg fell short, and why."""
        if not execution.steps:
            return "–"
        heads = [_("time"), _("action"), _("reason"), _("leg"), _("order")]
        rows = [
            [
                when(datetime.fromisoformat(step["at"])),
                ACTION_LABELS.get(step["action"], step["action"]),
                step["message"],
                "–" if step.get("leg_index") is None else str(step["leg_index"] + 1),
                _describe_order(step),
            ]
            for step in render_steps(execution.steps)
        ]
        return table(heads, rows)

    @display(description=_("attribution"))
    def show_attribution(self, execution: Execution) -> str:
        """Show the way from the expected to the realised profit."""
        row = find_attribution(execution.pk)
        return "–" if row is None else show_attribution(row, execution.profit_asset.code)

    @display(description=_("acknowledged"))
    def show_acknowledged(self, execution: Execution) -> str:
        """Show who took note of an exposure that is held, and when."""
        if execution.acknowledged_at is None:
            return "–"
        moment = when(execution.acknowledged_at)
        person = execution.acknowledged_by
        return moment if person is None else f"{keep_author(person)}, {moment}"

    @admin.action(description=_("Acknowledge the selected exposures"), permissions=["acknowledge"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Execution]) -> None:
        """Take note of each exposure; say of each execution that is not held."""
        self.apply(request, queryset, lambda row: _acknowledge(request, row))

    @command_button(
        description=_("Acknowledge the exposure"),
        question=_(
            "You have seen to what is left over of this execution, or accept it. The strategy "
            "may trade again."
        ),
        icon="task_alt",
        permissions=("acknowledge",),
        form_class=ExposureForm,
    )
    def acknowledge_one(
        self, request: HttpRequest, form: ExposureForm, object_id: str
    ) -> HttpResponse:
        """Take note of the exposure."""

        def command(execution: Execution) -> None:
            _acknowledge(request, execution, form.cleaned_data["seen"])

        return self.apply_to_one(request, object_id, command, form=form)

    def is_offered(self, action: str, row: Execution) -> bool:
        """Offer to see to an exposure only while it is held and nobody took note of it."""
        is_held = row.state == ExecutionStateChoice.HELD and row.acknowledged_at is None
        return is_held or action not in {"acknowledge_one", "see_flattening"}

    def has_acknowledge_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        """Return whether the person may change strategies, whose trading this allows again."""
        return request.user.has_perm("strategies.change_strategy")


def _acknowledge(request: HttpRequest, execution: Execution, seen: str | None = None) -> None:
    acknowledge_execution(execution_id=execution.pk, user=request.user, seen=seen)


def _describe_order(step: Mapping[str, Any]) -> str:
    if step.get("order_id") is None:
        return "–"
    return f"{render(step['side'])} {step['quantity']} @ {step['limit_price']}"
