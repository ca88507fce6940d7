"""Strategies, their runs, what they saw and what they did about it."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_celery_beat.models import PeriodicTask

from accounts.models import VenueAccount
from arbplatform.authors import SYSTEM
from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json
from arbplatform.persistence.fields import AmountField, DocumentField
from arbplatform.persistence.models import TimestampedModel
from arbplatform.persistence.sentences import read_reason
from markets.models import Asset
from strategies.domain.states import ExecutionState, StrategyDriver, StrategyState

INTERVAL_MS_MIN = 200
INTERVAL_MS_MAX = 86_400_000
HOLDER_LENGTH_MAX = 80


class StrategyDriverChoice(models.TextChoices):
    """``StrategyDriver`` with labels."""

    STREAM = StrategyDriver.STREAM.value, pgettext_lazy("driver", "stream")
    SCHEDULE = StrategyDriver.SCHEDULE.value, pgettext_lazy("driver", "schedule")


class StrategyStateChoice(models.TextChoices):
    """``StrategyState`` with labels."""

    STOPPED = StrategyState.STOPPED.value, _("stopped")
    RUNNING = StrategyState.RUNNING.value, _("running")
    STOPPING = StrategyState.STOPPING.value, _("stopping")
    FAULTED = StrategyState.FAULTED.value, _("faulted")


class ExecutionStateChoice(models.TextChoices):
    """``ExecutionState`` with labels."""

    EXECUTING = ExecutionState.EXECUTING.value, _("executing")
    COMPLETED = ExecutionState.COMPLETED.value, _("completed")
    INCOMPLETE = ExecutionState.INCOMPLETE.value, _("incomplete")
    UNWOUND = ExecutionState.UNWOUND.value, _("unwound")
    HELD = ExecutionState.HELD.value, pgettext_lazy("execution", "held")
    FAILED = ExecutionState.FAILED.value, _("failed")
    UNKNOWN = ExecutionState.UNKNOWN.value, _("unknown")


class Strategy(TimestampedModel):
    """One configured strategy: a plugin type, its parameters and the accounts it may use."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    type = models.SlugField(_("type"), max_length=64)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    accounts = models.ManyToManyField(
        VenueAccount, related_name="strategies", verbose_name=_("accounts")
    )
    driver = models.CharField(
        _("driver"),
        max_length=12,
        choices=StrategyDriverChoice,
        default=StrategyDriverChoice.STREAM,
        help_text=_(
            "Stream: an engine decides on every change of an order book. "
            "Schedule: a worker fetches the order books and decides once per interval."
        ),
    )
    interval_ms = models.PositiveIntegerField(
        _("interval"),
        default=1000,
        validators=[MinValueValidator(INTERVAL_MS_MIN), MaxValueValidator(INTERVAL_MS_MAX)],
        help_text=_("Time between two ticks of the schedule [ms]; a stream has no ticks."),
    )
    state = models.CharField(
        _("status"),
        max_length=12,
        choices=StrategyStateChoice,
        default=StrategyStateChoice.STOPPED,
        editable=False,
        db_index=True,
    )
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    stopped_at = models.DateTimeField(_("stopped at"), null=True, editable=False)
    last_tick_at = models.DateTimeField(_("last tick at"), null=True, editable=False)
    last_decision = models.JSONField(
        _("last decision"),
        default=dict,
        editable=False,
        help_text=_("What the last tick saw and why it did or did not trade."),
    )
    last_error = models.JSONField(_("last error"), default=dict, editable=False)
    last_error_code = models.PositiveIntegerField(_("error code"), null=True, editable=False)
    last_error_at = models.DateTimeField(_("last error at"), null=True, editable=False)
    failure_count = models.PositiveSmallIntegerField(
        _("failures in a row"), default=0, editable=False
    )
    tick_token = models.CharField(max_length=32, blank=True, editable=False)
    tick_expires_at = models.DateTimeField(null=True, editable=False)
    lease_holder = models.CharField(
        _("engine"), max_length=HOLDER_LENGTH_MAX, blank=True, default="", editable=False
    )
    lease_fence = models.PositiveIntegerField(
        _("fencing number"),
        default=0,
        editable=False,
        help_text=_("How often an engine has taken the strategy: only the last one may write."),
    )
    periodic_task = models.OneToOneField(
        PeriodicTask,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="strategy",
        verbose_name=_("schedule"),
    )

    class Meta:
        verbose_name = _("strategy")
        verbose_name_plural = _("strategies")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def to_error(self) -> Message:
        """Return what went wrong last, still to be translated; empty if nothing did."""
        return message_from_json(self.last_error)


class Run(TimestampedModel):
    """One strategy from start to stop, with the parameters it had."""

    strategy = models.ForeignKey(
        Strategy, on_delete=models.CASCADE, related_name="runs", verbose_name=_("strategy")
    )
    params = models.JSONField(_("parameters"), default=dict)
    started_at = models.DateTimeField(_("started at"))
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    stop_reason = models.TextField(_("stop reason"), blank=True)
    fault = models.JSONField(_("fault"), default=dict, editable=False)
    tick_count = models.PositiveIntegerField(_("ticks"), default=0)
    opportunity_count = models.PositiveIntegerField(_("opportunities"), default=0)
    execution_count = models.PositiveIntegerField(_("executions"), default=0)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["strategy"],
                condition=models.Q(stopped_at__isnull=True),
                name="run_one_open_per_strategy",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} #{self.pk}"

    def to_fault(self) -> Message:
        """Return what ended it, still to be translated; empty if a person did."""
        return message_from_json(self.fault)

    def to_stop_reason(self) -> Message:
        """Return why it ended: as typed, or who wanted it, or what went wrong."""
        kept = self.stop_reason
        return read_reason(kept, frozenset({SYSTEM})) if kept else self.to_fault()


class Decision(models.TextChoices):
    """What was done about an opportunity."""

    EXECUTED = "executed", _("executed")
    SKIPPED = "skipped", _("skipped")
    DENIED = "denied", _("denied")


class Reason(models.TextChoices):
    """Why an opportunity was not executed."""

    ONE_PER_TICK = "one_per_tick", _("another one of the same tick was better")
    STRATEGY_STOPPING = "strategy_stopping", _("the strategy is being stopped")
    TICK_LOST = "tick_lost", _("the tick took too long and lost its turn")
    VENUE_DISABLED = "venue_disabled", _("a venue is disabled")
    VENUE_HANGING = "venue_hanging", _("a venue leaves orders without an answer")
    ACCOUNT_DISABLED = "account_disabled", _("an account is disabled")
    OPEN_UNKNOWN_ORDERS = (
        "open_unknown_orders",
        _("the outcome of an earlier order of the strategy is not known yet"),
    )
    UNFINISHED_EXECUTION = (
        "unfinished_execution",
        _("an earlier execution of the strategy is still being completed or reversed"),
    )
    HELD_EXPOSURE = (
        "held_exposure",
        _("an execution of the strategy is held until a person acknowledges its exposure"),
    )
    TRADING_HALTED = "trading_halted", _("trading is halted, or reduces exposure only")
    PRICE_UNKNOWN = "price_unknown", _("a limit is set that cannot be checked without a price")
    EDGE_ABOVE_CAP = "edge_above_cap", _("the edge is too good to be true")
    ORDER_NOTIONAL = "order_notional", _("an order would be worth too much")
    DAY_NOTIONAL = "day_notional", _("too much would be traded in one day")
    OPEN_EXECUTIONS = "open_executions", _("too many executions have not ended")
    UNHEDGED_EXPOSURE = "unhedged_exposure", _("too much is left over by executions")
    DAY_LOSS = "day_loss", _("too much was lost today")
    VENUE_CONCENTRATION = "venue_concentration", _("too much of everything lies at one venue")
    FUNDS_RESERVED = "funds_reserved", _("other orders may spend what it needs")
    NOT_RECONCILED = (
        "not_reconciled",
        _("an account has not been compared with its venue yet, or differs from it"),
    )
    PRICE_BAND = "price_band", _("a limit price is too far from the last known price")
    UNHEDGED_TIME = "unhedged_time", _("too much has been left over for too long")
    OPEN_ORDERS = "open_orders", _("too many orders would be open at a venue")
    POSITION = "position", _("too much of an asset would be held at a venue")
    MARKET_SUSPENDED = "market_suspended", _("a market is suspended or not listed any more")
    BOOK_MISSING = "book_missing", _("an order book is missing")
    BOOK_CROSSED = "book_crossed", _("an order book is crossed")
    BOOK_STALE = "book_stale", _("an order book is too old")
    BOOKS_SKEWED = "books_skewed", _("the order books are from different moments")
    TICKER_MISMATCH = "ticker_mismatch", _("one name may stand for two coins")
    DEPEG = "depeg", _("a stablecoin is off its peg")
    PEG_UNKNOWN = "peg_unknown", _("it is not known whether a peg holds")
    QUANTITY_OFF_LOT = "quantity_off_lot", _("a quantity is no whole number of lots")
    PRICE_OFF_TICK = "price_off_tick", _("a limit price is not on the grid")
    QUANTITY_BELOW_MIN = "quantity_below_min", _("a quantity is below the venue's minimum")
    QUANTITY_ABOVE_MAX = "quantity_above_max", _("a quantity is above the venue's maximum")
    NOTIONAL_BELOW_MIN = "notional_below_min", _("an order is worth less than the venue takes")


class Opportunity(models.Model):
    """An intent of a plugin, with all that is needed to recompute it."""

    strategy = models.ForeignKey(
        Strategy, on_delete=models.CASCADE, related_name="opportunities", verbose_name=_("strategy")
    )
    run = models.ForeignKey(
        Run,
        on_delete=models.CASCADE,
        db_index=False,  # the index below begins with it
        related_name="opportunities",
        verbose_name=_("run"),
    )
    detected_at = models.DateTimeField(_("detected at"), db_index=True)
    summary = models.CharField(_("summary"), max_length=200)
    route = models.CharField(
        _("route"),
        max_length=400,
        help_text=_("Side, market and venue of every leg: what makes two opportunities the same."),
    )
    edge_bps = AmountField(_("edge [bps]"))
    notional = AmountField(_("notional"))
    expected_profit = AmountField(_("expected profit"))
    profit_asset = models.ForeignKey(
        Asset,
        on_delete=models.PROTECT,
        db_index=False,  # nobody asks for it, and it would be written with every decision
        related_name="+",
        verbose_name=_("profit asset"),
    )
    decision = models.CharField(_("decision"), max_length=12, choices=Decision)
    reason = models.CharField(_("reason"), max_length=32, choices=Reason, blank=True)
    evidence = DocumentField(
        _("evidence"),
        default=dict,
        help_text=_("Books with ages, rules, fees, free balances, parameters and sizing."),
    )

    class Meta:
        verbose_name = _("opportunity")
        verbose_name_plural = _("opportunities")
        ordering = ["-id"]
        indexes = [models.Index(fields=["run", "detected_at"])]

    def __str__(self) -> str:
        return f"#{self.pk} {self.summary}"


NOT_OVER = ("executing", "incomplete", "unknown", "held")
"""States of executions that have not ended, or that a person may still have to look at, in the
order of the index of just these."""


class Execution(TimestampedModel):
    """One arbitrage being carried out: its orders are the legs."""

    strategy = models.ForeignKey(
        Strategy, on_delete=models.PROTECT, related_name="executions", verbose_name=_("strategy")
    )
    run = models.ForeignKey(
        Run, on_delete=models.PROTECT, related_name="executions", verbose_name=_("run")
    )
    opportunity = models.OneToOneField(
        Opportunity,
        on_delete=models.PROTECT,
        related_name="execution",
        verbose_name=_("opportunity"),
    )
    state = models.CharField(
        _("state"),
        max_length=12,
        choices=ExecutionStateChoice,
        default=ExecutionStateChoice.EXECUTING,
    )
    leg_count = models.PositiveSmallIntegerField(_("legs"))
    plan = models.JSONField(_("plan"), default=list, help_text=_("The legs as they were decided."))
    expected_profit = AmountField(_("expected profit"))
    realised_profit = AmountField(
        _("realised profit"), null=True, help_text=_("Net movement of the profit asset.")
    )
    profit_asset = models.ForeignKey(
        Asset,
        on_delete=models.PROTECT,
        db_index=False,  # nobody asks for it, and it would be written with every execution
        related_name="+",
        verbose_name=_("profit asset"),
    )
    residuals = models.JSONField(
        _("residuals"), default=dict, help_text=_("Net movement of every other asset.")
    )
    steps = models.JSONField(
        _("repair"),
        default=list,
        help_text=_("What was decided after some leg fell short, and why."),
    )
    deadline_at = models.DateTimeField(
        _("repair until"),
        null=True,
        help_text=_("After this moment an exposure that is left is held for a person."),
    )
    fence = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text=_("Counts who repaired the execution: only the last one may write."),
    )
    lease_fence = models.PositiveIntegerField(
        _("fencing number"),
        default=0,
        editable=False,
        help_text=_("Of the engine's lease under which it was begun; 0 for a scheduled tick."),
    )
    lease_holder = models.CharField(
        _("engine"), max_length=HOLDER_LENGTH_MAX, blank=True, default="", editable=False
    )
    lease_expires_at = models.DateTimeField(null=True, editable=False)
    entries_seen = models.PositiveIntegerField(
        null=True,
        editable=False,
        help_text=_("Entries of the ledger that were there when it was last settled."),
    )
    finished_at = models.DateTimeField(_("finished at"), null=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("acknowledged by"),
    )
    acknowledged_residuals = DocumentField(
        null=True,
        editable=False,
        help_text=_("What was left over when a person took note of it, by asset."),
    )

    class Meta:
        verbose_name = _("execution")
        verbose_name_plural = _("executions")
        ordering = ["-id"]
        indexes = [
            # what must be known of a strategy before each decision, however many have completed
            models.Index(
                fields=["strategy"],
                condition=models.Q(state__in=list(NOT_OVER)),
                name="execution_not_over",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.strategy}"
