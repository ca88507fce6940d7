"""Pages whose rows are asked for in a form and made by a service, which may ask a venue first."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms.widgets import MediaDefiningClass
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from arbplatform.console.admin import PlatformAdmin, Text
from arbplatform.console.refusals import remember_refusal
from arbplatform.core.errors import ArbError, Message
from arbplatform.wording import render


class AskingForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is asked of a service.

    Attributes:
        names: what the form calls an argument of the service whose name is taken by a field of
            the model.
    """

    names: ClassVar[Mapping[str, str]] = {}

    def _post_clean(self) -> None:
        """Leave out the model's own checks: the service makes them, with better words."""


class AbstractPageClass(ABCMeta, MediaDefiningClass):
    """Lets a page of the console leave methods open: without them it cannot be registered."""


class AskingAdmin(PlatformAdmin, metaclass=AbstractPageClass):
    """Rows that are asked for and then only looked at, or changed by buttons.

    Attributes:
        ask_text: what the button says that asks.
        ask_form: what is typed in.
        ask_fieldsets: of the form, as Django's ``fieldsets``.
        shown_fieldsets: of the page of a row.
    """

    ask_text: Text
    ask_form: type[AskingForm]
    ask_fieldsets: tuple[Any, ...]
    shown_fieldsets: tuple[Any, ...]

    @abstractmethod
    def ask(self, request: HttpRequest, form: AskingForm) -> Model:
        """Call the service; raises its refusal."""

    @abstractmethod
    def describe(self, name: str) -> Message:
        """Return what to say of a new row."""

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Show the form's fields, or everything that is known of a row."""
        return self.ask_fieldsets if obj is None else self.shown_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Let nothing be typed in but a new request."""
        if obj is None:
            return ()
        return tuple(name for _title, part in self.shown_fieldsets for name in part["fields"])

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: buttons change rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: what was is kept."""
        return False

    def has_act_permission(self, request: HttpRequest, *_args: object) -> bool:
        """Let those who may change such rows use the buttons."""
        return bool(super().has_change_permission(request))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Ask the service; if it refuses, show the form again and say why.

        Django saves forms inside a transaction; the service may ask a venue, so it is called here.
        """
        extra_context = {"ask_text": self.ask_text, **(extra_context or {})}
        if request.method != "POST":
            return super().add_view(request, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.get_form(request, None, change=False)(request.POST)
        try:
            row = self.ask(request, form) if form.is_valid() else None
        except ArbError as refusal:
            remember_refusal(request, refusal)
            row = None
        if row is None:
            return super().add_view(request, form_url, extra_context)
        self.log_addition(request, row, "Asked for.")
        messages.success(request, render(self.describe(str(row))))
        options = row._meta
        name = f"admin:{options.app_label}_{options.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=(row.pk,)))

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return what is asked in; of a row that is there nothing can be typed in."""
        if obj is None:
            kwargs["form"] = self.ask_form
        return super().get_form(request, obj, change=change, **kwargs)
