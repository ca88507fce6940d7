"""What the sweep remembers."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SweepPlace(models.Model):
    """Up to where the sweep has looked for late news about ended executions. There is one row."""

    ONLY: int = 1

    entry_id = models.BigIntegerField(_("entry of the ledger"), default=0)
    execution_id = models.BigIntegerField(_("execution"), default=0)

    class Meta:
        verbose_name = _("place of the sweep")
        verbose_name_plural = _("places of the sweep")

    def __str__(self) -> str:
        return f"{self.entry_id}, {self.execution_id}"
