"""The Django app ledger."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LedgerConfig(AppConfig):
    """Configuration of the app."""

    name = "ledger"
    verbose_name = _("Ledger")
