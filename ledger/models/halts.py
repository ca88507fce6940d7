"""Whether trading is allowed, and who changed that."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from arbplatform.core.errors import Message
from arbplatform.fingerprints import fingerprint
from arbplatform.persistence.sentences import read_reason
from ledger.domain.halts import (
    PERSONAL_LEVELS,
    SELF_LIFTING_LEVELS,
    HaltLevel,
    TradingEvent,
    TradingState,
)


class TradingStateChoice(models.TextChoices):
    """``TradingState`` with labels."""

    ACTIVE = TradingState.ACTIVE.value, pgettext_lazy("trading", "active")
    REDUCING = TradingState.REDUCING.value, _("reducing only")
    HALTED = TradingState.HALTED.value, _("halted")


class HaltLevelChoice(models.TextChoices):
    """``HaltLevel`` with labels."""

    GLOBAL = HaltLevel.GLOBAL.value, _("everything")
    VENUE = HaltLevel.VENUE.value, _("venue")
    ACCOUNT = HaltLevel.ACCOUNT.value, _("account")
    STRATEGY = HaltLevel.STRATEGY.value, _("strategy")
    GUARD = HaltLevel.GUARD.value, _("guard")
    VENUE_STATE = HaltLevel.VENUE_STATE.value, _("state of a venue")
    ACCOUNT_KEY = HaltLevel.ACCOUNT_KEY.value, _("key of an account")


class TradingEventChoice(models.TextChoices):
    """``TradingEvent`` with labels."""

    RESUME = TradingEvent.RESUME.value, _("resume")
    REDUCE = TradingEvent.REDUCE.value, _("reduce")
    HALT = TradingEvent.HALT.value, _("halt")


class TradingHalt(models.Model):
    """The state of one scope; a scope without a row is active."""

    key = models.CharField(_("key"), max_length=40, unique=True)
    level = models.CharField(_("level"), max_length=12, choices=HaltLevelChoice)
    target_id = models.BigIntegerField(_("target"), null=True)
    state = models.CharField(
        _("state"), max_length=12, choices=TradingStateChoice, default=TradingStateChoice.ACTIVE
    )
    reason = models.TextField(_("reason"))
    changed_by = models.CharField(_("changed by"), max_length=150)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("trading state")
        verbose_name_plural = _("trading states")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    @property
    def is_personal(self) -> bool:
        """Whether a person may resume it; others follow their causes."""
        return self.level in PERSONAL_LEVELS

    @property
    def lifts_itself(self) -> bool:
        """Whether the platform itself lets it go when the cause is gone."""
        return self.level in SELF_LIFTING_LEVELS

    @property
    def version(self) -> str:
        """What tells this state, by whom it was set and why, from what it was before."""
        said = (self.state, self.reason, self.changed_by)
        return fingerprint({f"halt:{self.key}": said})

    def to_reason(self) -> Message:
        """Return why it is so, still to be translated."""
        return read_reason(self.reason)


class TradingChange(models.Model):
    """One change of a trading state: inserted, never changed or deleted."""

    halt = models.ForeignKey(
        TradingHalt,
        on_delete=models.PROTECT,
        related_name="changes",
        verbose_name=_("trading state"),
    )
    event = models.CharField(_("event"), max_length=12, choices=TradingEventChoice)
    before = models.CharField(_("before"), max_length=12, choices=TradingStateChoice)
    after = models.CharField(_("after"), max_length=12, choices=TradingStateChoice)
    reason = models.TextField(_("reason"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("user"),
        help_text=_("Empty: the command line, or the platform itself."),
    )
    changed_by = models.CharField(_("changed by"), max_length=150)
    changed_at = models.DateTimeField(_("changed at"), db_index=True)

    class Meta:
        verbose_name = _("change of a trading state")
        verbose_name_plural = _("changes of trading states")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.halt}"

    def to_reason(self) -> Message:
        """Return why it was done, still to be translated."""
        return read_reason(self.reason)
