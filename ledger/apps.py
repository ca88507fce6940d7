"""The Django app ledger."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LedgerConfig(AppConfig):
    """Configuration of the app."""

    name = "ledger"
    verbose_name = _("Ledger")

    def ready(self) -> None:
        """Name what is not kept for ever."""
        from arbplatform.retention.kinds import register  # noqa: PLC0415  needs the models
        from ledger.services.retention import KINDS  # noqa: PLC0415  needs the models

        register(*KINDS)
