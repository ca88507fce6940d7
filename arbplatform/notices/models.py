"""Channels to people, alarms, and the notices about them that wait or were sent."""

from datetime import time

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json
from arbplatform.notices.rules import FAILURES_MAX, Severity
from arbplatform.persistence.fields import EncryptedTextField
from arbplatform.persistence.models import TimestampedModel


class SeverityChoice(models.IntegerChoices):
    """``Severity`` with labels."""

    NOTE = Severity.NOTE.value, _("info")
    WARNING = Severity.WARNING.value, _("warning")
    CRITICAL = Severity.CRITICAL.value, _("critical")


class LanguageChoice(models.TextChoices):
    """The languages that notices are written in."""

    CHINESE = "zh-hans", _("Simplified Chinese")
    ENGLISH = "en", _("English")


class NoticeKind(models.TextChoices):
    """What a notice is about."""

    RAISED = "raised", _("alarm")
    AGAIN = "again", _("again")
    OVER = "over", _("over")
    HEARTBEAT = "heartbeat", _("sign of life")
    TEST = "test", _("test")


class NoticeState(models.TextChoices):
    """What became of a notice."""

    WAITING = "waiting", _("waiting")
    SENT = "sent", _("sent")
    WITHDRAWN = "withdrawn", _("not needed any more")


def default_language() -> str:
    """Return the language of the platform."""
    return str(settings.LANGUAGE_CODE)


class NoticeChannel(TimestampedModel):
    """A way to people: the webhook of a robot, and what it is to carry."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    address = EncryptedTextField(_("address"))
    service = models.CharField(_("service"), max_length=16, editable=False)
    language = models.CharField(
        _("language"), max_length=12, choices=LanguageChoice, default=default_language
    )
    severity_min = models.PositiveSmallIntegerField(
        _("from severity"), choices=SeverityChoice, default=SeverityChoice.WARNING
    )
    quiet_from = models.TimeField(
        _("quiet from"),
        null=True,
        blank=True,
        help_text=_("From here on only what is critical is sent at once; the rest waits."),
    )
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    heartbeat_at = models.TimeField(
        _("daily sign of life at"),
        null=True,
        blank=True,
        default=time(9),
        help_text=_("If it does not come, look after the platform. Empty: none."),
    )
    is_fallback = models.BooleanField(
        _("stands in"),
        default=False,
        help_text=_("Carries only what another channel failed to carry."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    heartbeat_due_at = models.DateTimeField(_("next sign of life"), null=True, editable=False)
    next_try_at = models.DateTimeField(_("not before"), null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    failure_count = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    succeeded_at = models.DateTimeField(_("last success"), null=True, editable=False)
    failed_at = models.DateTimeField(_("last failure"), null=True, editable=False)
    error_code = models.PositiveIntegerField(_("error code"), null=True, editable=False)
    error = models.JSONField(_("error"), default=dict, editable=False)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        """Whether others stand in for it."""
        return self.failure_count >= FAILURES_MAX

    def to_error(self) -> Message:
        """Return why the last attempt failed, still to be translated; empty if it did not."""
        return message_from_json(self.error)


class Alarm(models.Model):
    """Something that needs a person, from when it was seen until it is over."""

    key = models.CharField(_("key"), max_length=160)
    severity = models.PositiveSmallIntegerField(_("severity"), choices=SeverityChoice)
    message = models.JSONField(_("message"))
    is_incident = models.BooleanField(
        _("incident"), default=False, help_text=_("Happened at a moment, and has no end.")
    )
    mark = models.BigIntegerField(default=0, editable=False)
    raised_at = models.DateTimeField(_("since"))
    last_seen_at = models.DateTimeField(_("last seen at"))
    told_at = models.DateTimeField(_("told at"), null=True)
    ended_at = models.DateTimeField(_("over since"), null=True, db_index=True)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(ended_at=None), name="alarm_unique_open"
            ),
        ]
        indexes = [models.Index(fields=["key", "mark"], name="alarm_mark")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.key}"

    def to_message(self) -> Message:
        """Return the sentence, still to be translated and filled in."""
        return message_from_json(self.message)


class Notice(models.Model):
    """One thing to be told over one channel: written with its alarm, sent afterwards."""

    channel = models.ForeignKey(
        NoticeChannel,
        on_delete=models.CASCADE,
        db_index=False,  # the indexes below begin with it
        related_name="notices",
        verbose_name=_("channel"),
    )
    alarm = models.ForeignKey(
        Alarm,
        on_delete=models.CASCADE,
        null=True,
        related_name="notices",
        verbose_name=_("alarm"),
    )
    kind = models.CharField(_("kind"), max_length=12, choices=NoticeKind)
    severity = models.PositiveSmallIntegerField(_("severity"), choices=SeverityChoice)
    message = models.JSONField(_("message"))
    mark = models.BigIntegerField(default=0, editable=False)
    stands_in_for = models.CharField(_("instead of"), max_length=64, blank=True)
    state = models.CharField(
        _("state"), max_length=12, choices=NoticeState, default=NoticeState.WAITING
    )
    created_at = models.DateTimeField(_("created at"), db_index=True)
    due_at = models.DateTimeField(_("not before"))
    sent_at = models.DateTimeField(_("sent at"), null=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "alarm", "kind", "mark"], name="notice_unique"
            ),
        ]
        indexes = [models.Index(fields=["channel", "state", "due_at"], name="notice_due")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind}"

    def to_message(self) -> Message:
        """Return the sentence, still to be translated and filled in."""
        return message_from_json(self.message)
