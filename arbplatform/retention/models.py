"""How far each kind of rows has been removed."""

from django.db import models
from django.utils.translation import gettext_lazy as _

TOKEN_LENGTH_MAX = 32


class Retention(models.Model):
    """Where the removal of one kind of rows stands, who is at it, and what was measured last."""

    kind = models.CharField(_("kind"), max_length=40, unique=True)
    token = models.CharField(max_length=TOKEN_LENGTH_MAX, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    reached_at = models.DateTimeField(
        _("removed until"), null=True, help_text=_("Of what is older, only what stays is left.")
    )
    is_behind = models.BooleanField(
        _("behind"), default=False, help_text=_("The last run ended at its limits.")
    )
    last_run_at = models.DateTimeField(_("last run at"), null=True)
    last_removed_count = models.PositiveBigIntegerField(_("removed by the last run"), default=0)
    removed_count = models.PositiveBigIntegerField(_("removed ever"), default=0)
    row_count = models.PositiveBigIntegerField(_("rows"), null=True)
    oldest_at = models.DateTimeField(_("oldest"), null=True)
    size_bytes = models.PositiveBigIntegerField(_("size"), null=True)
    measured_at = models.DateTimeField(_("measured at"), null=True)

    class Meta:
        verbose_name = _("retention")
        verbose_name_plural = _("retention")
        ordering = ("kind",)

    def __str__(self) -> str:
        """Return the kind's name."""
        return self.kind
