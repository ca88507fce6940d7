"""Venues, assets and markets."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from arbplatform.core.clock import to_ms
from arbplatform.core.decimals import Fraction
from arbplatform.core.errors import Message
from arbplatform.core.masking import know_secret
from arbplatform.persistence.fields import AmountField
from arbplatform.persistence.models import TimestampedModel
from arbplatform.persistence.sentences import read_sentence
from markets.domain.capabilities import OPERATOR_OPTION, Capabilities
from markets.domain.clocks import ClockReading
from markets.domain.fees import FEE_MODES, FeeMode, FeeSchedule
from markets.domain.health import VenueHealth, VenueState
from markets.domain.rules import MarketRules
from markets.domain.venue_options import list_secrets
from markets.gateway.base import VenueSpec
from markets.gateway.capabilities import capabilities_of
from markets.gateway.origins import is_local


class VenueStateChoice(models.TextChoices):
    """``VenueState`` with labels."""

    HEALTHY = VenueState.HEALTHY.value, _("healthy")
    DEGRADED = VenueState.DEGRADED.value, _("degraded")
    CANCEL_ONLY = VenueState.CANCEL_ONLY.value, _("cancellations only")
    MAINTENANCE = VenueState.MAINTENANCE.value, _("under maintenance")
    BANNED = VenueState.BANNED.value, _("banned for a time")
    BLOCKED = VenueState.BLOCKED.value, _("blocked")


class Venue(TimestampedModel):
    """An exchange, real or simulated."""

    code = models.SlugField(
        _("code"), max_length=32, unique=True, help_text=_("Short name, for instance binance.")
    )
    name = models.CharField(_("name"), max_length=64)
    ccxt_id = models.CharField(
        _("ccxt id"),
        max_length=32,
        help_text=_("The ccxt class that speaks the venue's protocol: binance, okx, kraken …"),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    rest_origin = models.CharField(
        _("REST origin"),
        max_length=200,
        blank=True,
        validators=[RegexValidator(r"^https?://[^\s?#]+$", _("Use http(s)://host[:port][/path]."))],
        help_text=_("Empty: the venue's own address. Set for testnets, proxies, simulated venues."),
    )
    ws_origin = models.CharField(
        _("WebSocket origin"),
        max_length=200,
        blank=True,
        validators=[RegexValidator(r"^wss?://[^\s?#]+$", _("Use ws(s)://host[:port][/path]."))],
    )
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_("Extra ccxt options; no secrets here.")
    )
    clock_offset_ms = models.BigIntegerField(
        _("clock offset"),
        null=True,
        editable=False,
        help_text=_("Our clock minus the venue's, in milliseconds."),
    )
    clock_measured_at = models.DateTimeField(_("clock measured at"), null=True, editable=False)
    state = models.CharField(
        _("state"),
        max_length=12,
        choices=VenueStateChoice,
        default=VenueStateChoice.HEALTHY,
        editable=False,
        help_text=_("How the venue is, by what our own calls to it meet."),
    )
    state_reason = models.TextField(_("reason of the state"), blank=True, editable=False)
    state_since = models.DateTimeField(_("state since"), null=True, editable=False)
    state_until = models.DateTimeField(
        _("state until"),
        null=True,
        editable=False,
        help_text=_("When it ends by itself, if the venue named a time."),
    )
    synced_at = models.DateTimeField(_("markets synchronised at"), null=True, editable=False)
    sync_error = models.TextField(_("last synchronisation error"), blank=True, editable=False)

    class Meta:
        verbose_name = _("venue")
        verbose_name_plural = _("venues")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    def to_state_reason(self) -> Message:
        """Return why it is in its state, still to be translated; empty if it is healthy."""
        return read_sentence(self.state_reason)

    def to_sync_error(self) -> Message:
        """Return why its markets could not be read, still to be translated; or nothing."""
        return read_sentence(self.sync_error)

    @property
    def capabilities(self) -> Capabilities:
        """What venues of its class can do."""
        return capabilities_of(self.ccxt_id)

    @property
    def is_tradable(self) -> bool:
        """Whether strategies may trade: certified, on this machine, or an operator's word."""
        return (
            self.capabilities.is_certified
            or is_local(self.rest_origin)
            or self.options.get(OPERATOR_OPTION) is True
        )

    @property
    def is_local(self) -> bool:
        """Whether it is reached on this machine, as simulated venues are."""
        return is_local(self.rest_origin)

    @property
    def clock(self) -> ClockReading | None:
        """How far our clock was from the venue's, if that was ever measured."""
        if self.clock_offset_ms is None or self.clock_measured_at is None:
            return None
        return ClockReading(self.clock_offset_ms, to_ms(self.clock_measured_at))

    @property
    def health(self) -> VenueHealth | None:
        """How all processes take it to be, if that ever changed."""
        if self.state_since is None:
            return None
        return VenueHealth(VenueState(self.state), to_ms(self.state_since))

    @property
    def is_healthy(self) -> bool:
        """Whether orders that open something may go there."""
        return self.state == VenueStateChoice.HEALTHY

    def to_spec(self) -> VenueSpec:
        """Return how to reach the venue; what is secret of it is masked from now on."""
        for secret in list_secrets([self.options, self.rest_origin, self.ws_origin]):
            know_secret(secret)
        return VenueSpec(
            code=self.code,
            ccxt_id=self.ccxt_id,
            rest_origin=self.rest_origin,
            ws_origin=self.ws_origin,
            options=self.options,
            clock=self.clock,
            health=self.health,
        )


class Asset(TimestampedModel):
    """A coin or currency, by its unified code."""

    code = models.CharField(_("code"), max_length=32, unique=True)
    name = models.CharField(_("name"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("asset")
        verbose_name_plural = _("assets")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class FeeModeChoice(models.TextChoices):
    """``FeeMode`` with labels."""

    QUOTE = FeeMode.QUOTE.value, _("in quote asset")
    RECEIVED = FeeMode.RECEIVED.value, _("in received asset")
    GIVEN = FeeMode.GIVEN.value, _("in given asset")


class Market(TimestampedModel):
    """One symbol on one venue, with its rules.

    Maker and taker fee are those of the venue's public list. The own ones are the highest that it
    told for an account of ours (``services/own_fees``); a synchronisation leaves them alone.
    """

    venue = models.ForeignKey(
        Venue, on_delete=models.CASCADE, related_name="markets", verbose_name=_("venue")
    )
    symbol = models.CharField(_("symbol"), max_length=65, db_index=True)
    base = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("base asset")
    )
    quote = models.ForeignKey(
        Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("quote asset")
    )
    tick = AmountField(_("tick"))
    lot = AmountField(_("lot"))
    quantity_min = AmountField(_("minimum quantity"))
    quantity_max = AmountField(_("maximum quantity"), null=True, blank=True)
    notional_min = AmountField(_("minimum notional"))
    maker_fee = AmountField(_("maker fee"))
    taker_fee = AmountField(_("taker fee"))
    fee_mode = models.CharField(
        _("fee mode"), max_length=16, choices=FeeModeChoice, default=FeeModeChoice.RECEIVED
    )
    own_maker_fee = AmountField(_("own maker fee"), null=True, editable=False)
    own_taker_fee = AmountField(_("own taker fee"), null=True, editable=False)
    own_fees_at = models.DateTimeField(_("own fees told at"), null=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    synced_at = models.DateTimeField(_("synchronised at"))

    class Meta:
        verbose_name = _("market")
        verbose_name_plural = _("markets")
        ordering = ["symbol", "venue_id"]
        constraints = [
            models.UniqueConstraint(fields=["venue", "symbol"], name="market_unique_symbol"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} @ {self.venue.code}"

    @property
    def planned_maker_fee(self) -> Fraction:
        """What resting orders are planned with: the own fee if it was told, or the list's."""
        own: Fraction | None = self.own_maker_fee
        listed: Fraction = self.maker_fee
        return listed if own is None else own

    @property
    def planned_taker_fee(self) -> Fraction:
        """What crossing orders are planned with: the own fee if it was told, or the list's."""
        own: Fraction | None = self.own_taker_fee
        listed: Fraction = self.taker_fee
        return listed if own is None else own

    def to_fees(self) -> FeeSchedule:
        """Return the fees that are planned with."""
        mode = FEE_MODES[self.fee_mode]
        return FeeSchedule(self.planned_maker_fee, self.planned_taker_fee, mode)

    def to_rules(self) -> MarketRules:
        """Return the market's rules as a value; reads base, quote and venue."""
        return MarketRules(
            venue=self.venue.code,
            symbol=self.symbol,
            base=self.base.code,
            quote=self.quote.code,
            tick=self.tick,
            lot=self.lot,
            quantity_min=self.quantity_min,
            quantity_max=self.quantity_max,
            notional_min=self.notional_min,
            fees=self.to_fees(),
            is_active=self.is_active,
        )
