"""Base classes of the console's pages: actions call services and report row by row."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import wraps
from itertools import islice
from typing import Any
from urllib.parse import urljoin

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render as render_page
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.dataclasses import ActionDialog
from unfold.decorators import action
from unfold.enums import ActionVariant

from arbplatform.console.fields import DialogForm
from arbplatform.console.refusals import (
    complain,
    explain,
    is_refused,
    remember_refusal,
    with_refusal,
)
from arbplatform.console.stale_forms import CarefulForms
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import render

ROWS_PER_ACTION_MAX = 100
"""Rows that one click works on: each one may call a venue while the browser waits."""

Text = str | Promise
Command = Callable[[Any], object]


class GuardedActions:
    """Offers actions that name no permission to those who may change rows, and to nobody else.

    Django offers them to whoever may look; other packages' pages rely on that.
    """

    def get_actions(self, request: HttpRequest) -> Any:
        """Return the actions that the person may take on a list."""
        actions = super().get_actions(request)  # type: ignore[misc]  # of the page beside it
        if self.has_change_permission(request):  # type: ignore[attr-defined]
            return actions
        return {
            name: action
            for name, action in actions.items()
            if getattr(action[0], "allowed_permissions", ())
        }


class PlatformAdmin(GuardedActions, CarefulForms, ModelAdmin):
    """A page of the console whose state-changing actions go through services.

    Attributes:
        empty_hint: what a person can do so that an empty list fills.
    """

    empty_hint: Text = ""
    list_per_page = 50
    list_filter_submit = True
    compressed_fields = True
    warn_unsaved_form = True
    show_full_result_count = False

    def is_offered(self, action: str, row: Any) -> bool:
        """Return whether a button makes sense for a row as it is now, on its page and in lists.

        Lists ask for every row: an answer must not need a query.

        Args:
            action: name of the button's method.
            row: whose button it is.
        """
        return True

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        """Return the buttons of a row's page; those that would be refused anyway are left out."""
        buttons = super().get_actions_detail(request, object_id)
        row = self.get_object(request, object_id) if buttons else None
        if row is None:
            return buttons
        return [one for one in buttons if self.is_offered(one.method.original_function_name, row)]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show the form; if the service refuses what the form let pass, as typed, and say why.

        A page that cannot even be shown leads to the list: to itself it would lead for ever.
        """
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ArbError as error:
            if request.method == "POST" and not is_refused(request):
                remember_refusal(request, error)
                return self.changeform_view(request, object_id, form_url, extra_context)
            messages.error(request, explain(error, self.opts.label))
            return HttpResponseRedirect(self._list_path())

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form, told of the service's refusal if there was one."""
        return with_refusal(super().get_form(request, obj, change=change, **kwargs), request)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Delete after a confirmation; if the service refuses, show the row and the reason."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except ArbError as error:
            messages.error(request, explain(error, self.opts.label))
            return HttpResponseRedirect(urljoin(request.path, "../change/"))

    def apply(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any] | Iterable[Any],
        command: Command,
        *,
        done: Text = _("done"),
    ) -> int:
        """Run ``command`` on every row and tell the person how each one ended.

        One row's refusal does not stop the others.

        Args:
            request: where the messages go.
            queryset: the chosen rows, at most ``ROWS_PER_ACTION_MAX``.
            command: calls one service for one row; a ``Message`` that it returns is shown.
            done: what to say of a row that went well, if the command returns nothing to show.

        Returns:
            How many rows went well.
        """
        rows = list(islice(queryset, ROWS_PER_ACTION_MAX + 1))
        if len(rows) > ROWS_PER_ACTION_MAX:
            limit = Message(
                "Choose at most {limit} rows at once. Nothing was done.",
                {"limit": ROWS_PER_ACTION_MAX},
            )
            messages.error(request, render(limit))
            return 0
        return sum(self._apply_to_row(request, row, command, done) for row in rows)

    def _apply_to_row(
        self,
        request: HttpRequest,
        row: Model,
        command: Command,
        done: Text,
        form: BaseForm | None = None,
    ) -> bool:
        name = str(row)
        try:
            outcome = command(row)
        except Exception as error:  # noqa: BLE001  the other rows go on; bugs are logged
            if form is None:
                messages.error(request, f"{name}: {explain(error, name)}")
            else:
                complain(form, error, name)
            return False
        text = render(outcome) if isinstance(outcome, Message) else str(done)
        messages.success(request, f"{name}: {text}")
        return True

    def apply_to_one(
        self,
        request: HttpRequest,
        object_id: str,
        command: Command,
        *,
        done: Text = _("done"),
        form: BaseForm | None = None,
    ) -> HttpResponse:
        """Run ``command`` on the row behind a row or page button and go back to where it was.

        Args:
            request: a POST that a ``command_button`` dialog sent.
            object_id: the row's primary key.
            command: calls one service for the row.
            done: what to say if it went well.
            form: what was typed into the dialog; told why if the service refuses.
        """
        row = self.get_object(request, object_id)
        if row is None:
            text = Message("The row {id} does not exist any more.", {"id": object_id})
            messages.error(request, render(text))
        else:
            self._apply_to_row(request, row, command, done, form)
        return self.go_back(request)

    def show_dialog(
        self, request: HttpRequest, dialog: ActionDialog, form: BaseForm
    ) -> HttpResponse:
        """Return a dialog for the page that it opens on; to who opens its link alone, a page."""
        context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
        if request.headers.get("HX-Request"):
            return render_page(request, "unfold/helpers/dialog.html", context)
        context |= {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": dialog["title"],
            "back": self._list_path(),
            "media": self.media + form.media,
        }
        return render_page(request, "console/dialog_page.html", context)

    def go_back(self, request: HttpRequest) -> HttpResponse:
        """Return the way back to the page that a dialog was opened on; from a page, to the list."""
        address = request.headers.get("HX-Current-URL") or request.headers.get("Referer")
        target = _own_path(request, address)
        if target is None or target.partition("?")[0] == request.path:
            target = self._list_path()
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": target})
        return HttpResponseRedirect(target)

    def _list_path(self) -> str:
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return reverse(f"{self.admin_site.name}:{name}")


class ReadOnlyAdmin(PlatformAdmin):
    """Facts: they can be looked at, not added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Refuse: facts come from services only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: facts do not change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: facts are kept."""
        return False


class ReadOnlyInline(TabularInline):
    """Facts that belong to the row above."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: facts come from services only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: facts do not change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: facts are kept."""
        return False


def command_button(
    *,
    description: Text,
    question: Text,
    submit: Text | None = None,
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
    permissions: Iterable[str] = ("change",),
    form_class: type[DialogForm] | None = None,
) -> Any:
    """Decorate the method of a row or page button that changes something.

    Unfold's own buttons are links: a GET would act without a CSRF token. This one opens a dialog;
    only its POST acts. The method is called as ``(request, form, object_id)``. A form that it has
    complained in is shown again.

    Args:
        description: what the button says.
        question: what the dialog asks.
        submit: what the dialog's button says; default: the description.
        icon: a Material symbol.
        variant: colour.
        permissions: admin permissions that the person needs.
        form_class: what the dialog asks for; default: nothing.
    """
    dialog = ActionDialog(
        title=description,
        description=question,
        form_class=form_class,
        form_submit_text=submit or description,
    )
    ask = form_class or DialogForm

    def decorate(method: Callable[..., HttpResponse]) -> Any:
        @wraps(method)
        def act(page: PlatformAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
            form = ask(data=request.POST or None, request=request, object_id=object_id)
            if form.is_valid():
                answer = method(page, request, form, object_id)
                if form.is_valid():  # it has complained of nothing
                    return answer
            return page.show_dialog(request, dialog, form)

        button = action(
            description=description, icon=icon, variant=variant, permissions=permissions
        )(act)
        button.dialog = dialog  # the theme's links read it
        return button

    return decorate


def coloured(text: Text, colour: str) -> SafeString:
    """Return ``text`` as a coloured label, on lists and on the pages of single rows alike.

    Unfold's own labels are for lists only: a page would show the pair that they are made of.

    Args:
        text: what the label says.
        colour: ``success``, ``info``, ``warning``, ``danger``; empty for none.
    """
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})


def plain(amount: Decimal | None) -> str:
    """Return an amount of money as a person reads it: plain digits, a dash for none."""
    return "–" if amount is None else to_plain(amount)


def _own_path(request: HttpRequest, address: str | None) -> str | None:
    """Return ``address`` without its origin if it is ours: no way to leave by a header.

    Nor with its fragment: a browser that is sent to the page that it shows, with one, stays there.
    """
    origin = f"{request.scheme}://{request.get_host()}/"
    if not address or not address.startswith(origin):
        return None
    return "/" + address.removeprefix(origin).partition("#")[0].lstrip("/")
