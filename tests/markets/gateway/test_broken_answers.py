"""Fault 5 and its kin: what a venue answers when it is broken, call by call, over real HTTP.

A read must fail, never be empty; a write must be unknown, never accepted or refused.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal as D

import pytest

from markets.domain.funds import DepositAddress, Wallet
from markets.domain.orders import OrderRequest, Side, VenueOrderStatus
from markets.errors import OutcomeUnknown, VenueUnavailable
from markets.gateway.base import Credentials, VenueGateway, VenueSpec
from markets.gateway.catalog import Catalog
from markets.gateway.ccxt_rest import CcxtRestGateway
from tests.markets.fakes.proxy import breakable
from tests.markets.fakes.server import Misbehaviour, Reply, Request, ScriptedServer
from tests.markets.fakes.stage import STAGES, FakeStage, Stage, okx_stage, open_stage
from tests.processes import wait_until

SYMBOL = "BTC/USDT"
REQUEST = OrderRequest(SYMBOL, Side.BUY, D("0.1"), "arbtests0000000000000001", price=D(60_000))
ADDRESS = DepositAddress("USDT", "some-address-elsewhere")
PATIENCE_MS, IMPATIENCE_MS = 5_000, 100

READS: dict[str, Callable[[VenueGateway], object]] = {
    "time": lambda g: g.fetch_time_ms(),
    "markets": lambda g: g.fetch_markets(),
    "ticker": lambda g: g.fetch_ticker(SYMBOL),
    "tickers": lambda g: g.fetch_tickers(),
    "book": lambda g: g.fetch_book(SYMBOL),
    "candles": lambda g: g.fetch_candles(SYMBOL),
    "fees": lambda g: g.fetch_fees([SYMBOL]),
    "balances": lambda g: g.fetch_balances(),
    "funding balances": lambda g: g.fetch_balances(Wallet.FUNDING),
    "order": lambda g: g.fetch_order(symbol=SYMBOL, client_order_id=REQUEST.client_order_id),
    "order by id": lambda g: g.fetch_order(symbol=SYMBOL, venue_order_id="1"),
    "open orders": lambda g: g.fetch_open_orders(SYMBOL),
    "fills": lambda g: g.fetch_fills(SYMBOL),
    "fills of an order": lambda g: g.fetch_fills(SYMBOL, venue_order_id="1"),
    "deposit address": lambda g: g.fetch_deposit_address("USDT"),
    "networks": lambda g: g.fetch_networks("USDT"),
    "withdrawals": lambda g: g.fetch_withdrawals("USDT"),
    "deposits": lambda g: g.fetch_deposits("USDT"),
}
WRITES: dict[str, Callable[[VenueGateway], object]] = {
    "submit": lambda g: g.submit_order(REQUEST),
    "cancel": lambda g: g.cancel_order(symbol=SYMBOL, client_order_id=REQUEST.client_order_id),
    "transfer": lambda g: g.transfer(
        asset="USDT", amount=D(1), from_wallet=Wallet.SPOT, to_wallet=Wallet.FUNDING
    ),
    "withdraw": lambda g: g.withdraw(
        amount=D(5), destination=ADDRESS, client_transfer_id="arbtests00000000000000w1"
    ),
}

FUNDS_CALLS = frozenset(
    {
        "funding balances",
        "deposit address",
        "networks",
        "withdrawals",
        "deposits",
        "transfer",
        "withdraw",
    }
)


@dataclass
class Broken:
    """A gateway that has worked so far, and the server behind it."""

    gateway: CcxtRestGateway
    server: ScriptedServer
    stage: Stage

    def misbehave(self, kind: Misbehaviour) -> None:
        """Break the next answer; who must wait for nothing need not wait long."""
        _set_patience(self.gateway, kind)
        self.server.misbehave(kind)

    def until_met(self) -> None:
        """Return when the request was heard: who gave it up may be earlier than the server."""
        wait_until(lambda: self.server.has_misbehaved, "the request is heard")


@pytest.fixture(scope="module")
def broken(request: pytest.FixtureRequest) -> Iterator[Broken]:
    with ExitStack() as stack:
        stage = stack.enter_context(open_stage(request.param))
        if isinstance(stage, FakeStage):
            server, spec = stage.venue.server, stage.spec
        else:
            server = stack.enter_context(breakable(stage.spec.rest_origin))
            spec = replace(stage.spec, rest_origin=f"{server.url}/alpha", ws_origin="")
        gateway = _gateway(spec, stage.credentials)
        stage.set_book(SYMBOL, bids=[("59990", "1")], asks=[("60000", "1")])
        gateway.fetch_book(SYMBOL)
        if stage.moves_funds:
            gateway.fetch_deposit_address("USDT")  # some venues want their networks first
        yield Broken(gateway, server, stage)
        gateway.close()


def _cases(calls: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return every call on every venue that offers it."""
    return [
        (venue, call)
        for venue in STAGES
        for call in calls
        if venue != "kraken" or call not in FUNDS_CALLS
    ]


def _gateway(spec: VenueSpec, credentials: Credentials) -> CcxtRestGateway:
    return CcxtRestGateway(spec, credentials, Catalog(spec, timeout_ms=PATIENCE_MS))


def _set_patience(gateway: CcxtRestGateway, kind: Misbehaviour) -> None:
    patience_ms = IMPATIENCE_MS if kind is Misbehaviour.TIMEOUT else PATIENCE_MS
    gateway._session.catalog.timeout_ms = patience_ms
    for client in gateway._session._pool._idle:
        client.timeout = patience_ms


@pytest.mark.parametrize("kind", Misbehaviour)
@pytest.mark.parametrize(("broken", "call"), _cases(READS), indirect=["broken"])
def test_a_read_that_is_answered_wrongly_fails_and_is_never_empty(
    broken: Broken, call: str, kind: Misbehaviour
) -> None:
    broken.misbehave(kind)

    with pytest.raises(VenueUnavailable) as failure:
        READS[call](broken.gateway)

    broken.until_met()
    assert type(failure.value) is VenueUnavailable
    assert "signature=" not in str(failure.value)


@pytest.mark.parametrize("kind", Misbehaviour)
@pytest.mark.parametrize(("broken", "call"), _cases(WRITES), indirect=["broken"])
def test_a_write_that_is_answered_wrongly_is_unknown_and_is_sent_once(
    broken: Broken, call: str, kind: Misbehaviour
) -> None:
    sent = len(broken.server.requests)
    broken.misbehave(kind)

    with pytest.raises(OutcomeUnknown) as failure:
        WRITES[call](broken.gateway)

    broken.until_met()
    assert len(broken.server.requests) == sent + 1
    assert "signature=" not in str(failure.value)
    assert broken.stage.credentials.api_secret not in str(failure.value)


@pytest.mark.parametrize("kind", Misbehaviour)
@pytest.mark.parametrize("broken", STAGES, indirect=True)
def test_after_a_broken_answer_the_next_one_is_read_as_usual(
    broken: Broken, kind: Misbehaviour
) -> None:
    broken.misbehave(kind)
    with pytest.raises(VenueUnavailable):
        broken.gateway.fetch_balances()
    broken.until_met()
    _set_patience(broken.gateway, Misbehaviour.EMPTY_200)

    assert broken.gateway.fetch_balances()["USDT"].free == D(100_000)


def test_rights_that_cannot_be_read_are_unknown_but_the_key_is_proven_by_its_balances() -> None:
    with okx_stage() as stage:
        gateway = _gateway(stage.spec, stage.credentials)
        gateway.fetch_balances()
        stage.venue.server.misbehave(Misbehaviour.HTML_503, at="account/config")

        found = {finding.name: finding.is_granted for finding in gateway.fetch_permissions()}

        assert found["read"] is True
        assert set(found.values()) == {True, None}
        gateway.close()


@pytest.mark.parametrize("kind", Misbehaviour)
def test_an_order_whose_state_cannot_be_read_is_still_accepted(kind: Misbehaviour) -> None:
    with okx_stage() as stage:
        gateway = _gateway(stage.spec, stage.credentials)
        stage.set_book(SYMBOL, bids=[], asks=[("60000", "1")])
        gateway.fetch_book(SYMBOL)
        [client], respond = gateway._session._pool._idle, stage.venue.server.respond

        def hurry_once_it_is_sent(request: Request) -> Reply:
            if kind is Misbehaviour.TIMEOUT and request.path.endswith("trade/batch-orders"):
                client.timeout = IMPATIENCE_MS
            return respond(request)

        stage.venue.server.respond = hurry_once_it_is_sent
        stage.venue.server.misbehave(kind, at="trade/order")

        order = gateway.submit_order(REQUEST)

        assert order.client_order_id == REQUEST.client_order_id
        assert order.status is VenueOrderStatus.OPEN
        assert order.filled_quantity == 0
        assert order.venue_order_id in stage.venue.orders
        gateway.close()
