"""What the API itself keeps."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class KeptAnswer(models.Model):
    """A write that came with an ``Idempotency-Key``, and what it was answered.

    What was sent is kept as a keyed hash only: it may hold the secrets of a venue account.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=64)
    """Hash of method, address and key."""
    request = models.CharField(_("request"), max_length=64)
    """Keyed hash of the body."""
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    """Null while the request is carried out."""
    body = models.TextField(_("answer"), default="")
    created_at = models.DateTimeField(_("created at"), db_index=True)

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        # nobody works with these by hand
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "name"], name="kept_answer_unique"),
        ]

    def __str__(self) -> str:
        """Return what identifies it."""
        return self.name[:12]
