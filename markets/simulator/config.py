"""The configuration of a simulation: what `manage.py simulate` reads, checked and typed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from arbplatform.core.errors import InvalidInput
from markets.domain.symbols import split_symbol
from markets.simulator.exchange.listing import ListingRules
from markets.simulator.exchange.units import FEE_PLACES, PLACES
from markets.simulator.faults.check import unknown_name
from markets.simulator.faults.config import FaultConfig, refusal

Positive = Annotated[Decimal, Field(gt=0)]
NotNegative = Annotated[Decimal, Field(ge=0)]
Rate = Annotated[Decimal, Field(ge=0, le=Decimal("0.1"), decimal_places=FEE_PLACES)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
AssetCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,16}$")]
Permission = Literal["read", "trade", "withdraw", "transfer"]
ALL_PERMISSIONS: tuple[Permission, ...] = ("read", "trade", "withdraw", "transfer")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MarketConfig(_Part):
    """One market of a venue; the attributes are those of ``ListingRules``."""

    symbol: str
    tick: Positive
    lot: Positive
    quantity_min: Positive
    quantity_max: Positive = Decimal(9_000_000)
    notional_min: NotNegative = Decimal(0)
    maker_fee: Rate = Decimal("0.001")
    taker_fee: Rate = Decimal("0.001")

    @model_validator(mode="after")
    def _check_grid(self) -> Self:
        split_symbol(self.symbol)
        product = (self.tick * self.lot).normalize()
        if -int(product.as_tuple().exponent) > PLACES:
            raise ValueError(f"tick x lot is finer than {PLACES} decimal places")
        return self

    def to_rules(self) -> ListingRules:
        """Return the market as the engine takes it."""
        return ListingRules(**self.model_dump())


class MakersConfig(_Part):
    """Synthetic makers: a random walk that all venues share, and what sets this venue apart.

    Attributes:
        prices: fair price of each asset at the start [reporting unit per asset]; the quote asset
            of the walk has the price 1. Every venue that names an asset must name the same price.
        volatility_bps: standard deviation of an asset's walk per second [bps].
        interval_ms: time between two rounds of quoting [ms].
        spread_bps: between best bid and best ask [bps].
        noise_bps: standard deviation of this venue's slow, mean-reverting deviation [bps].
        noise_half_life_s: how fast that deviation forgets [s].
        dislocation_bps: bounds of a sudden shift of one market [bps].
        dislocation_every_s: mean time between two shifts at this venue [s]; 0 for none.
        dislocation_lasts_s: bounds of how long a shift stands [s].
        levels: of each side.
        level_bps: distance between levels [bps].
        level_notional: of the best level [reporting unit].
        flow_every_s: mean time between two takers' trades on one market [s]; 0 for none.
        history_minutes: invented minute candles from before the start.
    """

    prices: Mapping[AssetCode, Positive]
    volatility_bps: Annotated[float, Field(ge=0, le=100)] = 1.0
    interval_ms: Annotated[int, Field(ge=10, le=60_000)] = 200
    spread_bps: Annotated[float, Field(gt=0, le=1000)] = 4.0
    noise_bps: Annotated[float, Field(ge=0, le=1000)] = 2.0
    noise_half_life_s: Annotated[float, Field(gt=0)] = 5.0
    dislocation_bps: tuple[float, float] = (0.0, 0.0)
    dislocation_every_s: Annotated[float, Field(ge=0)] = 0.0
    dislocation_lasts_s: tuple[float, float] = (2.0, 5.0)
    levels: Annotated[int, Field(ge=1, le=100)] = 10
    level_bps: Annotated[float, Field(gt=0, le=1000)] = 3.0
    level_notional: Positive = Decimal(5_000)
    flow_every_s: Annotated[float, Field(ge=0)] = 2.0
    history_minutes: Annotated[int, Field(ge=0, le=10_000)] = 600


class ReplayConfig(_Part):
    """Recorded books as the house's quotes.

    Attributes:
        path: ``.jsonl`` or ``.jsonl.xz``; one book a line: timestamp, exchange, bids, asks. Or the
            directory of a session that ``manage.py record_feed`` wrote.
        exchange: whose books to take; of a session, the code of the recorded venue.
        symbol: the market they belong to.
        speed: 1 is the recorded pace, 10 ten times that; 0 waits for the control API to advance.
        start, count: first line of the file to use, and how many; ``None`` for all. Venues that
            replay the same file keep step, so they must agree on speed, start and count.
        levels: of each side that are quoted.
    """

    path: str
    exchange: str
    symbol: str
    speed: Annotated[float, Field(ge=0, le=100_000)] = 1.0
    start: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1)] | None = None
    levels: Annotated[int, Field(ge=1, le=5000)] = 100


class BalancesConfig(_Part):
    """What an account owns at its very first start, by wallet and asset [asset]."""

    spot: Mapping[AssetCode, NotNegative] = Field(default_factory=dict)
    funding: Mapping[AssetCode, NotNegative] = Field(default_factory=dict)


class AccountConfig(_Part):
    """One customer of a venue.

    Attributes:
        label: unique at the venue.
        api_key, api_secret: what requests are signed with.
        balances: at the very first start; later the journal knows better.
        permissions: what the key may do.
    """

    label: Annotated[str, Field(min_length=1, max_length=64)]
    api_key: Annotated[str, Field(min_length=1, max_length=256, repr=False)]
    api_secret: Annotated[str, Field(min_length=1, max_length=256, repr=False)]
    balances: BalancesConfig = BalancesConfig()
    permissions: tuple[Permission, ...] = ALL_PERMISSIONS


class VenueConfig(_Part):
    """One simulated venue.

    Attributes:
        code: the first part of its path.
        name: for people.
        assets: codes.
        markets: what is traded.
        latency_ms: added before each request is looked at [ms].
        makers, replay: where the books come from; at most one of the two.
        accounts: customers.
        faults: what goes wrong, and when.
        faults_file: a JSON file with more of it, by venue code.
    """

    code: Code
    name: str = ""
    assets: tuple[AssetCode, ...]
    markets: tuple[MarketConfig, ...]
    latency_ms: Annotated[float, Field(ge=0, le=60_000)] = 0
    makers: MakersConfig | None = None
    replay: ReplayConfig | None = None
    accounts: tuple[AccountConfig, ...] = ()
    faults: tuple[FaultConfig, ...] = ()
    faults_file: str = ""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.makers and self.replay:
            raise ValueError("give either makers or replay, not both")
        _refuse_repeated("asset", self.assets)
        _refuse_repeated("symbol", [market.symbol for market in self.markets])
        _refuse_repeated("account label", [account.label for account in self.accounts])
        known = set(self.assets)
        for market in self.markets:
            _refuse_unknown(split_symbol(market.symbol), known, market.symbol)
        for account in self.accounts:
            owned = [*account.balances.spot, *account.balances.funding]
            _refuse_unknown(owned, known, f"the account {account.label}")
        if self.makers:
            needed = {asset for m in self.markets for asset in split_symbol(m.symbol)}
            _refuse_unknown(needed, set(self.makers.prices), "makers.prices")
        for fault in self.faults:
            if problem := unknown_name(fault, self):
                raise ValueError(f"a fault names {problem}")
        if self.replay and self.replay.symbol not in {m.symbol for m in self.markets}:
            raise ValueError(f"replay.symbol {self.replay.symbol} is not a market of the venue")
        return self


class SettlementConfig(_Part):
    """How withdrawals travel.

    Attributes:
        delay_ms: from the request to the arrival [ms].
        network_fees: taken from the amount sent, by asset [asset].
    """

    delay_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 3_000
    network_fees: Mapping[AssetCode, NotNegative] = Field(default_factory=dict)


class SimulatorConfig(_Part):
    """A whole simulation: venues in one process, one world behind them."""

    seed: int = 1
    settlement: SettlementConfig = SettlementConfig()
    venues: Annotated[tuple[VenueConfig, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        _refuse_repeated("venue code", [venue.code for venue in self.venues])
        _refuse_repeated("api_key", [a.api_key for v in self.venues for a in v.accounts])
        self._check_prices()
        self._check_replays()
        return self

    def _check_prices(self) -> None:
        prices: dict[str, Decimal] = {}
        for venue in self.venues:
            for asset, price in (venue.makers.prices if venue.makers else {}).items():
                if prices.setdefault(asset, price) != price:
                    raise ValueError(f"venues name different prices for {asset}: give one for all")

    def _check_replays(self) -> None:
        ways: dict[str, tuple[float, int, int | None]] = {}
        for replay in (venue.replay for venue in self.venues):
            if replay is None:
                continue
            way = (replay.speed, replay.start, replay.count)
            if ways.setdefault(replay.path, way) != way:
                raise ValueError(f"{replay.path} is replayed in two ways: give one pace and part")

    def to_json(self) -> str:
        """Return the configuration as the file ``parse_config`` reads; it holds secrets."""
        return self.model_dump_json(indent=1)


def parse_config(value: object) -> SimulatorConfig:
    """Return a checked configuration from parsed JSON (or from one that is checked already).

    Raises:
        InvalidInput: with the first thing that is wrong, in one sentence.
    """
    if isinstance(value, SimulatorConfig):
        return value
    try:
        return SimulatorConfig.model_validate(value)
    except pydantic.ValidationError as error:
        raise refusal(
            error,
            "The simulator's configuration is not valid: {where}: {cause}. Correct it and retry.",
            "the file",
        ) from None


def load_config(path: Path, **overrides: Any) -> SimulatorConfig:
    """Read a configuration file.

    Args:
        path: a JSON file.
        overrides: top-level values that replace those of the file, such as ``seed``.

    Raises:
        InvalidInput: the file cannot be read, is not JSON, or is not a valid configuration.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise InvalidInput(
            "The simulator's configuration {path} cannot be read: {cause}.",
            path=str(path),
            cause=error.strerror or str(error),
        ) from None
    except ValueError as error:
        raise InvalidInput(
            "The simulator's configuration {path} is not JSON: {cause}.",
            path=str(path),
            cause=str(error),
        ) from None
    if isinstance(value, dict):
        value.update(overrides)
    return parse_config(value)


def _refuse_repeated(what: str, names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        shown = "one" if what == "api_key" else repeated[0]
        raise ValueError(f"{shown} is given as {what} more than once")


def _refuse_unknown(names: Iterable[str], known: set[str], where: str) -> None:
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"{where} names {unknown[0]}, which is not listed")
