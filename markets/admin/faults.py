"""Faults of a simulated venue in the console: what is armed, and how to arm and disarm."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from arbplatform.console.refusals import explain, explain_in_one
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import render
from markets.admin.fault_texts import FIELDS, GROUPS, KINDS
from markets.models import Venue
from markets.selectors import list_venues
from markets.services.faults import (
    PlannedFault,
    add_fault,
    ask_simulators,
    can_be_simulated,
    clear_faults,
    read_faults,
    remove_fault,
)
from markets.simulator.faults import kinds
from markets.simulator.faults.kinds import FaultKind, Group
from markets.simulator.faults.names import ADDRESSES

PERMISSION = "markets.change_venue"
ENDED_SHOWN_MAX = 10
VALUE_LENGTH_MAX = 1_000
FOREVER = "forever"
_MATCHING = ("endpoint", "symbol", "side", "account", "asset", "stream")
_REPEATING = ("times", "for_ms", "after", "chance")
_DETAILS = tuple(name for name in FIELDS if name not in (*_MATCHING, *_REPEATING))
_CHOICES: dict[str, list[tuple[str, Any]]] = {
    "endpoint": [("", _("any"))] + [(name, name) for name in ADDRESSES],
    "side": [("", _("any")), ("buy", _("buy")), ("sell", _("sell"))],
    "is_carried_out": [("", _("as usual")), ("true", _("yes")), ("false", _("no"))],
    "stream": [("", _("any")), ("market", _("market data")), ("user", _("account"))],
    "market_status": [("", _("as usual")), ("BREAK", "BREAK"), ("HALT", "HALT")],
}


class FaultForm(forms.Form):
    """A fault to arm; what is left empty is as usual. The simulator checks what it means."""

    kind = forms.ChoiceField(
        label=_("kind"),
        choices=lambda: [
            (title, [(kind.value, KINDS[kind][0]) for kind in kinds_of(group)])
            for group, title in GROUPS.items()
        ],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in FIELDS.items():
            self.fields[name] = _make_field(name, label)

    def matching(self) -> list[Any]:
        """Return the fields that say what it strikes."""
        return [self[name] for name in _MATCHING]

    def repeating(self) -> list[Any]:
        """Return the fields that say how often and how long."""
        return [self[name] for name in _REPEATING]

    def details(self) -> list[Any]:
        """Return the fields that only some kinds take."""
        return [self[name] for name in _DETAILS]

    def has_details(self) -> bool:
        """Return whether some of these were filled in: what is typed is never folded away."""
        return any(field.value() for field in self.details())

    def to_fault(self) -> dict[str, Any]:
        """Return what was filled in, as the simulator takes it."""
        filled = {name: value for name, value in self.cleaned_data.items() if value != ""}
        if filled.get("times") == FOREVER:
            filled["times"] = None
        return filled


def kinds_of(group: Group) -> list[FaultKind]:
    """Return the kinds of a group, in the order in which they are explained."""
    return [kind for kind in KINDS if kinds.KINDS[kind].group is group]


def takers_of(field: str) -> str:
    """Return the names of the kinds that take a detail."""
    takers = [KINDS[kind][0] for kind, spec in kinds.KINDS.items() if field in spec.fields]
    return ", ".join(str(name) for name in takers)


def _make_field(name: str, label: Any) -> forms.Field:
    if name in _CHOICES:
        return forms.ChoiceField(
            label=label,
            choices=_CHOICES[name],
            required=False,
            help_text=takers_of(name) if name in _DETAILS else "",
            widget=UnfoldAdminSelectWidget,
        )
    hints: dict[str, Any] = {
        "times": _("Once if empty; “forever” until it is removed."),
        "account": _("As the simulator calls it."),
    }
    return forms.CharField(
        label=label,
        required=False,
        max_length=VALUE_LENGTH_MAX,
        help_text=takers_of(name) if name in _DETAILS else hints.get(name, ""),
        widget=UnfoldAdminTextInputWidget,
    )


class FaultPages:
    """The pages of a venue's faults, for the admin of venues; what changes something is a POST."""

    admin_site: Any
    model: Any
    list_before_template = "markets/fault_banner.html"
    change_form_outer_before_template = "markets/fault_banner.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the pages."""
        view = self.admin_site.admin_view
        own = [
            path("<int:venue_id>/faults/", view(self.faults), name="markets_venue_faults"),
            path(
                "<int:venue_id>/faults/clear/",
                view(self.clear_faults),
                name="markets_venue_faults_clear",
            ),
            path(
                "<int:venue_id>/faults/<int:number>/remove/",
                view(self.remove_fault),
                name="markets_venue_fault_remove",
            ),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]  # of the admin beside it

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Say above the list where faults are active."""
        context = {"faults": _banner(list_venues()), **(extra_context or {})}
        return super().changelist_view(request, context)  # type: ignore[misc]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Say above the form that faults are active, or lead to where they are planned."""
        context = dict(extra_context or {})
        venue = self.get_object(request, object_id) if object_id else None  # type: ignore[attr-defined]
        if venue is not None and can_be_simulated(venue):
            context["faults"] = _banner([venue])
            context["faults_url"] = reverse("admin:markets_venue_faults", args=[venue.pk])
        return super().changeform_view(request, object_id, form_url, context)  # type: ignore[misc]

    def faults(self, request: HttpRequest, venue_id: int) -> HttpResponse:
        """Show the faults of a venue, and arm one."""
        venue = _get_venue(request, venue_id)
        form = FaultForm(request.POST or None)
        is_filled = request.method == "POST" and form.is_valid()
        if is_filled and _run(request, lambda: _add(venue, form)):
            return _go_to(venue)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": _("Faults of {venue}").format(venue=venue.code),
            "venue": venue,
            "form": form,
            "groups": [
                (title, [KINDS[kind] for kind in kinds_of(group)])
                for group, title in GROUPS.items()
            ],
            **_shown(request, venue),
        }
        return TemplateResponse(request, "markets/faults.html", context)

    @method_decorator(require_POST)
    def remove_fault(self, request: HttpRequest, venue_id: int, number: int) -> HttpResponse:
        """Disarm one fault."""
        venue = _get_venue(request, venue_id)
        _run(request, lambda: _remove(venue, number))
        return _go_to(venue)

    @method_decorator(require_POST)
    def clear_faults(self, request: HttpRequest, venue_id: int) -> HttpResponse:
        """Disarm all faults of a venue."""
        venue = _get_venue(request, venue_id)
        _run(request, lambda: _clear(venue))
        return _go_to(venue)


def _banner(venues: Any) -> list[tuple[Venue, int, str]]:
    """Return the venues where faults are active, how many, and where to look at them."""
    known = list(venues)
    counts = {code: answer.fault_count for code, answer in ask_simulators(known).items()}
    return [
        (venue, counts[venue.code], reverse("admin:markets_venue_faults", args=[venue.pk]))
        for venue in known
        if counts[venue.code]
    ]


def _get_venue(request: HttpRequest, venue_id: int) -> Venue:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    venue = list_venues().filter(pk=venue_id).first()
    if venue is None or not can_be_simulated(venue):
        raise Http404
    return venue


def _shown(request: HttpRequest, venue: Venue) -> dict[str, Any]:
    """Return what is armed and what was; nothing, with a message, if the simulator is away."""
    try:
        report = read_faults(venue=venue)
    except ArbError as error:
        messages.error(request, explain(error, venue.code))
        return {"active": [], "ended": [], "struck": []}
    return {
        "active": [_to_line(fault) for fault in report.active],
        "ended": [_to_line(fault) for fault in report.ended[:ENDED_SHOWN_MAX]],
        "struck": [(_name_of(kind), count) for kind, count in sorted(report.struck.items())],
    }


def _to_line(fault: PlannedFault) -> dict[str, Any]:
    details = {name: value for name, value in fault.details.items() if name != "times"}
    return {
        "fault": fault,
        "name": _name_of(fault.kind),
        "details": ", ".join(
            f"{FIELDS.get(name, name)}: {_say(value)}" for name, value in details.items()
        ),
        "left_s": None if fault.left_ms is None else -(-fault.left_ms // 1000),
    }


def _say(value: Any) -> Any:
    return (_("yes") if value else _("no")) if isinstance(value, bool) else value


def _name_of(kind: str) -> Any:
    return KINDS[FaultKind(kind)][0] if kind in set(FaultKind) else kind


def _add(venue: Venue, form: FaultForm) -> Message:
    number = add_fault(venue=venue, fault=form.to_fault())
    return Message("Fault {number} is armed.", {"number": number})


def _remove(venue: Venue, number: int) -> Message:
    remove_fault(venue=venue, number=number)
    return Message("Fault {number} is removed.", {"number": number})


def _clear(venue: Venue) -> Message:
    return Message("Faults removed: {count}.", {"count": clear_faults(venue=venue)})


def _run(request: HttpRequest, command: Any) -> bool:
    """Run a command and say how it ended; return whether it went well."""
    try:
        messages.success(request, render(command()))
    except ArbError as error:
        messages.error(request, explain_in_one(error, "a fault"))
        return False
    return True


def _go_to(venue: Venue) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:markets_venue_faults", args=[venue.pk]))
