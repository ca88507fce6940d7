"""The page of transfer limits."""

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.domain.limits import LIMIT_NAMES, TransferLimits
from accounts.domain.rules import RuleKind
from accounts.models import RuleChange, TransferLimit
from accounts.selectors import list_limits, list_rule_changes
from accounts.services.limits import save_limits
from arbplatform.console.limits import LimitsAdmin


@admin.register(TransferLimit)
class TransferLimitAdmin(LimitsAdmin):
    """The limits for all accounts, and what one of them has instead."""

    list_display = ("__str__", "show_limits", "updated_at")
    limit_names = LIMIT_NAMES
    owner = "account"
    fields = ("account", *LIMIT_NAMES)
    empty_hint = _(
        "No limits yet. Add a row without an account for all of them. Until then transfers "
        "between real venues worth more than 10,000 need a second member of staff."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[TransferLimit]:
        """Return the limits that are set."""
        return list_limits()

    def list_history(self, row: TransferLimit) -> QuerySet[RuleChange]:
        """Return who changed them."""
        changes = list_rule_changes(kind=RuleKind.LIMITS, target_id=row.account_id)
        return changes.order_by("-pk")

    def store(
        self, request: HttpRequest, row: TransferLimit, form: "ModelForm[TransferLimit]"
    ) -> None:
        """Save through the service."""
        values = {name: form.cleaned_data[name] for name in LIMIT_NAMES}
        limits = TransferLimits(**values)
        row.pk = save_limits(account_id=row.account_id, limits=limits, user=request.user).pk
