"""Engine processes, as they tell of themselves."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from strategies.models.strategies import HOLDER_LENGTH_MAX


class EngineProcess(models.Model):
    """One process that runs strategies on streams, from its start to its end.

    All times are the database's: rows of several machines are compared with each other.
    """

    name = models.CharField(_("name"), max_length=HOLDER_LENGTH_MAX, unique=True)
    machine = models.CharField(_("machine"), max_length=40)
    pid = models.PositiveIntegerField(_("process id"))
    started_at = models.DateTimeField(_("started at"))
    heartbeat_at = models.DateTimeField(_("last sign of life at"), db_index=True)
    draining_at = models.DateTimeField(
        _("ending since"), null=True, help_text=_("Since then it takes no strategy any more.")
    )
    stopped_at = models.DateTimeField(_("stopped at"), null=True)

    class Meta:
        verbose_name = _("engine")
        verbose_name_plural = _("engines")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
