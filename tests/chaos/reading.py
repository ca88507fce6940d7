"""Reads the evidence: our books by plain queries, the venues' from what they wrote to disk."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from accounts.models import Reservation, ReservedTotal, Transfer
from arbplatform.core.clock import from_ms
from arbplatform.core.errors import Unavailable
from arbplatform.parts import check_parts
from arbplatform.wording import render
from ledger.domain.reconciliation import UNSOLVED_STATES
from ledger.models import BookKind, BookTotal, Discrepancy, Fill, LogEntry, LogLevel, Order, Posting
from markets.domain.feeds import FeedState
from markets.models import Market
from markets.services.feeds import list_feeds
from markets.simulator.config import SimulatorConfig
from markets.simulator.exchange.units import PLACES
from strategies.models import PARTS, Attribution, Dust, Execution, Strategy
from tests.chaos.diary import Tallies
from tests.chaos.evidence import (
    AttributionRow,
    ExecutionRow,
    LeaseRow,
    LegRow,
    MarketRow,
    OrderRow,
    PostingRow,
    ReservationRow,
    TradeRow,
    TransferRow,
    VenueOrderRow,
    Wallets,
)

LEASE_EVENTS = ("strategy_taken", "strategy_taken_over", "strategy_retaken")
EXACT = Context(prec=80)
PATIENCE_S = 30.0
"""How long an answer of the venues may take when nothing goes wrong [s]."""


def read_orders() -> list[OrderRow]:
    """Return the journal."""
    rows = Order.objects.order_by("id").values_list(
        *("id", "client_order_id", "account__venue__code", "market__symbol", "side", "quantity"),
        *("price", "state", "filled_quantity", "filled_cost", "execution_id", "leg_index"),
        *("created_at", "finished_at", "submitted_at"),
    )
    return [OrderRow(*row) for row in rows.iterator()]


def read_trades() -> list[TradeRow]:
    """Return what was booked, with fees that came late."""
    trades = []
    for fill in Fill.objects.select_related(
        *("order", "account__venue", "market", "fee_asset", "late_fee__asset")
    ).iterator():
        fee_asset = fill.known_fee_asset
        trades.append(
            TradeRow(
                venue=fill.account.venue.code,
                symbol=fill.market.symbol,
                number=fill.venue_trade_id,
                client_id=fill.order.client_order_id,
                side=fill.side,
                price=fill.price,
                quantity=fill.quantity,
                cost=fill.cost,
                fee=Decimal(0) if fill.known_fee is None else fill.known_fee,
                fee_asset="" if fee_asset is None else fee_asset.code,
            )
        )
    return trades


def read_executions() -> list[ExecutionRow]:
    """Return all arbitrages."""
    rows = Execution.objects.select_related("profit_asset", "strategy").order_by("id")
    return [
        ExecutionRow(
            id=row.pk,
            state=row.state,
            profit_asset=row.profit_asset.code,
            profit=row.realised_profit,
            residuals={asset: Decimal(amount) for asset, amount in row.residuals.items()},
            legs=[
                LegRow(
                    *(leg["venue"], leg["symbol"], Decimal(leg["limit_price"])),
                    carried=Decimal(leg.get("carried", "0")),
                )
                for leg in row.plan
            ],
            strategy=row.strategy.name,
            created_at=row.created_at,
            finished_at=row.finished_at,
            engine=row.lease_holder,
            fence=row.lease_fence,
        )
        for row in rows.iterator()
    ]


def read_leases() -> list[LeaseRow]:
    """Return every lease of a strategy that an engine took, in the order in which they were."""
    rows = LogEntry.objects.select_related("strategy").filter(event__in=LEASE_EVENTS)
    return [
        LeaseRow(
            strategy="" if row.strategy is None else row.strategy.name,
            fence=row.context["fence"],
            engine=row.context["engine"],
            taken_at=row.created_at,
            before=row.context["before"] if row.event == "strategy_taken_over" else "",
        )
        for row in rows.order_by("id").iterator()
    ]


def read_attributions() -> list[AttributionRow]:
    """Return why each arbitrage made what it made."""
    return [
        AttributionRow(
            execution_id=row.execution_id,
            parts={name: getattr(row, name) or Decimal(0) for name in PARTS},
            total=row.total,
            booked=row.booked,
            cash=row.cash,
            is_exact=row.is_exact,
        )
        for row in Attribution.objects.iterator()
    ]


def read_dust() -> dict[tuple[str, str], Decimal]:
    """Return what is kept as dust, by strategy and asset."""
    rows = Dust.objects.exclude(amount=0)
    return {
        (strategy, asset): amount
        for strategy, asset, amount in rows.values_list("strategy__name", "asset__code", "amount")
    }


def read_postings() -> list[PostingRow]:
    """Return every line of the ledger."""
    rows = Posting.objects.values_list(
        *("entry__key", "book", "account__venue__code", "wallet", "asset__code", "amount")
    )
    return [
        PostingRow(entry, book, venue or "", wallet, asset, amount)
        for entry, book, venue, wallet, asset, amount in rows.iterator()
    ]


def read_totals() -> Wallets:
    """Return the running totals of the wallets."""
    rows = BookTotal.objects.filter(book=BookKind.WALLET)
    return {
        (venue, wallet, asset): total
        for venue, wallet, asset, total in rows.values_list(
            "account__venue__code", "wallet", "asset__code", "total"
        )
    }


def read_markets() -> list[MarketRow]:
    """Return the limits of every market."""
    rows = Market.objects.values_list(
        *("venue__code", "symbol", "base__code", "quote__code", "lot", "quantity_min"),
        "notional_min",
    )
    return [MarketRow(*row) for row in rows]


def read_strategies() -> dict[str, str]:
    """Return the state of every strategy by its name."""
    return dict(Strategy.objects.values_list("name", "state"))


def read_transfers() -> list[TransferRow]:
    """Return every transfer."""
    rows = Transfer.objects.select_related("from_account__venue", "to_account__venue", "asset")
    return [
        TransferRow(
            id=row.pk,
            client_id=row.client_transfer_id,
            state=row.state,
            route=f"{row.amount} {row.asset.code} from {row.from_account} to {row.to_account}",
        )
        for row in rows
    ]


def read_reservations() -> list[ReservationRow]:
    """Return what is set aside, row by row."""
    rows = Reservation.objects.values_list(
        *("purpose", "owner_id", "account__venue__code", "wallet", "asset__code", "amount")
    )
    return [
        ReservationRow(purpose, owner_id, f"{venue}/{wallet}/{asset}", amount)
        for purpose, owner_id, venue, wallet, asset, amount in rows
    ]


def read_reserved() -> dict[str, Decimal]:
    """Return the totals that are kept of what is set aside."""
    totals = ReservedTotal.objects.values_list(
        *("account__venue__code", "wallet", "asset__code", "total")
    )
    return {f"{venue}/{wallet}/{asset}": total for venue, wallet, asset, total in totals}


def read_discrepancies() -> list[str]:
    """Return what the reconciler watches or has raised an alarm about."""
    rows = Discrepancy.objects.filter(state__in=UNSOLVED_STATES)
    return [
        f"{row.account}: {row.kind} {row.subject} is {row.state}: {row.to_message()}"
        for row in rows.select_related("account__venue")
    ]


def read_parts() -> dict[str, str]:
    """Return what is wrong with each part of the platform, by name; empty if nothing is."""
    return {
        name: "" if part.is_ok else part.detail or "it does not work"
        for name, part in check_parts().items()
        if name != "disk"  # that is the machine's
    }


def read_feeds() -> dict[str, str]:
    """Return what is wrong with each book that an engine follows; empty if nothing is."""
    try:
        feeds = list_feeds()
    except Unavailable as error:
        return {"all": str(error)}
    found = {}
    for feed in feeds:
        status = feed.status
        reason = "" if status.reason is None else f": {render(status.reason)}"
        is_well = status.state is FeedState.HEALTHY
        name = f"{status.venue} {status.symbol} of {feed.writer}"
        found[name] = "" if is_well else f"{status.state.value}{reason}"
    return found


class VenueFacts:
    """The latest of what the journal of the simulation says.

    Attributes:
        withdrawn: client ids of all withdrawals.
    """

    def __init__(self, config: SimulatorConfig) -> None:
        self._symbols = {
            (venue.code, market.symbol.replace("/", "")): market
            for venue in config.venues
            for market in venue.markets
        }
        self._orders: dict[tuple[str, int], list[Any]] = {}
        self._trades: dict[tuple[str, int, int], list[Any]] = {}
        self.withdrawn: set[str] = set()

    def take(self, record: Mapping[str, Any]) -> None:
        """Let a record replace what earlier ones said of the same things."""
        venue = record["v"]
        self._orders |= {(venue, row[0]): row for row in record.get("o", ())}
        self.withdrawn |= {row["client_id"] for row in record.get("w", ())}
        self._trades |= {(venue, row[0], row[2]): row for row in record.get("x", ())}

    def orders(self) -> Iterator[VenueOrderRow]:
        """Yield the orders in exact decimals."""
        for (venue, number), row in sorted(self._orders.items(), key=lambda item: item[0]):
            market = self._symbols[venue, row[2]]
            yield VenueOrderRow(
                number=number,
                client_id=row[3],
                venue=venue,
                symbol=market.symbol,
                side="buy" if row[4] else "sell",
                quantity=row[8] * market.lot,
                price=row[7] * market.tick if row[7] else None,
                state=row[12],
                filled=(row[8] - row[9]) * market.lot,
                cost=_from_units(row[10]),
                created_at=from_ms(row[14]),
            )

    def trades(self) -> Iterator[TradeRow]:
        """Yield the trades in exact decimals."""
        for (venue, number, order_number), row in sorted(self._trades.items()):
            order = self._orders[venue, order_number]
            market = self._symbols[venue, order[2]]
            base, quote = market.symbol.split("/")
            received = base if order[4] else quote  # pays the fee unless a coin is named
            yield TradeRow(
                venue=venue,
                symbol=market.symbol,
                number=str(number),
                client_id=order[3],
                side="buy" if order[4] else "sell",
                price=row[3] * market.tick,
                quantity=row[4] * market.lot,
                cost=_from_units(row[5]),
                fee=_from_units(row[6]),
                fee_asset=row[9] if len(row) > 9 else received,
            )


def read_venues(config: SimulatorConfig, journal: Path) -> VenueFacts:
    """Return what the venues wrote down about what their customers did.

    Args:
        config: of the simulated venues.
        journal: the file in which their facts survive.
    """
    facts = VenueFacts(config)
    with journal.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):  # else a crash tore it, and nobody was told
                facts.take(json.loads(line))
    return facts


def read_statements(url: str, config: SimulatorConfig) -> Wallets:
    """Return what every account holds, held parts included, as the venues state it now."""
    wallets: dict[tuple[str, str, str], Decimal] = {}
    for venue in config.venues:
        for account in venue.accounts:
            answer = ask(url, "GET", f"/statement/{venue.code}?label={account.label}")
            for wallet, assets in answer["balances"].items():
                for asset, held in assets.items():
                    amount = Decimal(held["free"]) + Decimal(held["held"])
                    wallets[venue.code, wallet, asset] = amount
    return wallets


def ask(
    url: str, method: str, path: str, body: Any = None, *, timeout_s: float = PATIENCE_S
) -> Any:
    """Ask the simulation itself and return its JSON.

    Raises:
        OSError: it does not answer, or refuses.
    """
    connection = HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            raise OSError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)
    except HTTPException as error:
        raise OSError(f"{method} {path}: {error}") from error
    finally:
        connection.close()


def _from_units(units: str) -> Decimal:
    return EXACT.scaleb(Decimal(units), -PLACES)


def read_tallies() -> Tallies:
    """Return what is only of interest for the report."""
    looked_up = Order.objects.filter(lookup_count__gt=0)
    repairs = Counter(
        step["action"]
        for steps in Execution.objects.exclude(steps=[]).values_list("steps", flat=True)
        for step in steps
    )
    errors = LogEntry.objects.filter(level__gte=LogLevel.ERROR)
    return Tallies(
        lookups=sum(looked_up.values_list("lookup_count", flat=True)),
        looked_up=looked_up.count(),
        repairs=repairs,
        errors=Counter(errors.values_list("event", flat=True)),
    )
