"""The page on which a person has left-overs of executions brought back: a list, then a POST."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from arbplatform.console.admin import ReadOnlyAdmin, plain
from arbplatform.console.refusals import explain_in_one
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import render
from strategies.admin.panel import brief
from strategies.services.flattening import Flattening, flatten, list_flattenings

ID_DIGITS_MAX = 19
PERMISSION = "ledger.change_tradinghalt"
"""Whoever may halt and resume trading may flatten."""


class FlattenAdmin(ReadOnlyAdmin):
    """A page of facts that also offers to flatten."""

    @action(description=_("Flatten"), icon="compress", permissions=("flatten",))
    def see_flattening(self, _request: HttpRequest, **_path: str) -> HttpResponse:
        """Lead from what is held to the list that says how it can be brought back."""
        return HttpResponseRedirect(reverse("admin:strategies_execution_flatten"))

    def has_flatten_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Return whether the person may open the list, and act on it."""
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        """Put the page before those of single rows, which take any text for an id."""
        view = self.admin_site.admin_view(self.flatten_view)
        own = [path("flatten/", view, name="strategies_execution_flatten")]
        return [*own, *super().get_urls()]

    def flatten_view(self, request: HttpRequest) -> HttpResponse:
        """Show what would be done; a POST with a reason and a confirmation does it."""
        if not request.user.has_perm(PERMISSION) or not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST" and _act(request):
            return HttpResponseRedirect(reverse("admin:strategies_execution_flatten"))
        rows = list_flattenings()
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("Flatten"),
            "rows": [_describe(row) for row in rows],
            "is_offered": any(row.is_possible for row in rows) or bool(request.POST),
            "typed": request.POST,  # what was refused
        }
        return TemplateResponse(request, "strategies/flatten.html", context)


def _act(request: HttpRequest) -> bool:
    """Flatten and say how it ended; return whether it was not refused."""
    if not request.POST.get("confirm"):
        messages.error(request, str(_("Nothing was sent: confirm that you have read the list.")))
        return False
    try:
        shown = request.POST.getlist("execution")
        rows = flatten(
            reason=request.POST.get("reason", ""),
            user=request.user,
            only=[int(each) for each in shown if each.isdecimal() and len(each) <= ID_DIGITS_MAX],
        )
    except ArbError as error:
        messages.error(request, explain_in_one(error, "flattening"))
        return False
    begun = sum(row.is_possible for row in rows)
    text = Message(
        "Executions being brought back: {begun}; left as they are: {left}.",
        {"begun": begun, "left": len(rows) - begun},
    )
    messages.warning(request, render(text))
    return True


def _describe(row: Flattening) -> dict[str, Any]:
    execution, order, loss = row.execution, row.verdict.order, row.estimated_loss
    where = ""
    if order is not None and row.market is not None:
        where = f"{render(order.side)} {plain(order.quantity)} {row.market.symbol} @ "
        where += f"{plain(order.limit_price)}, {row.market.venue.code}"
    return {
        "execution": execution,
        "address": reverse("admin:strategies_execution_change", args=[execution.pk]),
        "exposures": ", ".join(f"{plain(part.amount)} {part.asset}" for part in row.exposures),
        "order": where,
        "loss": "" if loss is None else f"{brief(loss)} {execution.profit_asset.code}",
        "loss_bps": "" if row.verdict.loss_bps is None else f"{row.verdict.loss_bps:.2f}",
        "max_loss_bps": plain(row.max_loss_bps),
        "is_possible": row.is_possible,
        "reason": render(row.reason),
    }
