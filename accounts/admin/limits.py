"""The page of transfer limits."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.domain.limits import LIMIT_NAMES, TransferLimits
from accounts.models import TransferLimit
from accounts.selectors import list_limits
from accounts.services.limits import save_limits
from arbplatform.console.admin import PlatformAdmin
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ArbError, InvalidInput
from arbplatform.wording import render


@admin.register(TransferLimit)
class TransferLimitAdmin(PlatformAdmin):
    """The limits for all accounts, and what one of them has instead."""

    list_display = ("__str__", "show_limits", "updated_at")
    fields = ("account", *LIMIT_NAMES)
    empty_hint = _(
        "No limits yet. Add a row without an account for all of them. Until then transfers "
        "between real venues worth more than 10,000 need a second member of staff."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[TransferLimit]:
        """Return the limits that are set."""
        return list_limits()

    @display(description=_("limits"))
    def show_limits(self, row: TransferLimit) -> SafeString | str:
        """Show the limits that are set."""
        values = ((_title(name), getattr(row, name)) for name in LIMIT_NAMES)
        lines = ((title, to_plain(value)) for title, value in values if value is not None)
        return format_html_join("; ", "{}: {}", lines) or "–"

    def get_readonly_fields(self, request: HttpRequest, obj: TransferLimit | None = None) -> Any:
        """Whose limits they are does not change."""
        return () if obj is None else ("account",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: empty the fields instead; the history stays."""
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: TransferLimit,
        form: "ModelForm[TransferLimit]",
        change: bool,
    ) -> None:
        """Save through the service."""
        values = {name: form.cleaned_data[name] for name in LIMIT_NAMES}
        limits = TransferLimits(**values)
        row = save_limits(account_id=obj.account_id, limits=limits, user=request.user)
        obj.pk = row.pk

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show the form; a refusal of the service becomes a message."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ArbError as error:
            details = error.fields if isinstance(error, InvalidInput) else {}
            texts = [render(error.message)] + [
                f"{_title(name)}: {render(text)}"
                for name, group in details.items()
                for text in group
            ]
            messages.error(request, " ".join(texts))
            return HttpResponseRedirect(request.get_full_path())


def _title(name: str) -> str:
    return str(TransferLimit._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
