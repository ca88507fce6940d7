"""Whatever happens in whatever order: the books balance and equal the venues."""

from collections.abc import Callable
from decimal import Decimal as D
from itertools import count
from typing import ClassVar

from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from accounts.domain.transfers import TransferState
from accounts.errors import FundsReserved
from accounts.models import Reservation, Transfer, VenueAccount
from arbplatform.core.clock import FixedClock, to_ms
from ledger.domain.orders import OrderState
from ledger.models import Fill, Order
from ledger.selectors import (
    imbalances,
    in_transit,
    list_holdings,
    list_stray_reservations,
    list_total_errors,
    spendable_balances,
)
from ledger.services.journal import (
    OrderPlan,
    resolve_unknown_orders,
    submit_orders,
    write_orders,
)
from ledger.services.openings import ensure_opened
from ledger.services.transfers import book_transfer, book_transfers
from markets.domain.funds import Wallet
from markets.domain.orders import Side
from markets.errors import OutcomeUnknown, VenueRejected, VenueUnavailable
from markets.models import Asset
from tests.ledger.fakes import FakeVenue

quantities = st.decimals(D("0.00000001"), D(5), places=8)
prices = st.decimals(D("0.01"), D(100_000), places=2)
fractions = st.sampled_from([D(0), D("0.25"), D("0.5"), D(1)])
faults = st.sampled_from(["", "", "", "refused", "unsent", "lost", "lost before", "no fills"])
fee_assets = st.sampled_from([None, None, "BNB"])


class Books(RuleBasedStateMachine):
    """Orders with every fate, transfers at every stage, repeated and late sweeps."""

    fakes: ClassVar[dict[int, FakeVenue]]
    make_plan: ClassVar[Callable[..., OrderPlan]]
    accounts: ClassVar[tuple[VenueAccount, VenueAccount]]
    assets: ClassVar[dict[str, Asset]]

    @initialize()
    def open(self):
        self.savepoint = transaction.savepoint()
        self.clock = FixedClock(to_ms(timezone.now()))
        self.numbers = count()
        self.transit = D(0)
        self.transfers: list[Transfer] = []
        for account in self.accounts:
            fake = self.fakes[account.pk]
            fresh = FakeVenue(fake.code)
            for name in vars(fresh):
                setattr(fake, name, getattr(fresh, name))
            # without prices, a fee in a third coin is believed up to what is held of it
            fake.balances[Wallet.SPOT] = {"BTC": D(10), "USDT": D(600_000), "BNB": D(10)}
            ensure_opened(account_id=account.pk, clock=self.clock)

    def teardown(self):
        if hasattr(self, "savepoint"):
            transaction.savepoint_rollback(self.savepoint)

    @rule(
        where=st.booleans(),
        side=st.sampled_from(Side),
        quantity=quantities,
        price=prices,
        fraction=fractions,
        fault=faults,
        fee_asset=fee_assets,
        states_fee=st.booleans(),
    )
    def order(self, *, where, side, quantity, price, fraction, fault, fee_asset, states_fee):
        account = self.accounts[where]
        fake = self.fakes[account.pk]
        fake.fill_fraction, fake.fee_asset, fake.states_fee = fraction, fee_asset, states_fee
        fake.sends_fills = fault != "no fills"
        fake.before_submit = _raiser(
            {
                "refused": VenueRejected(venue="x", cause="y"),
                "unsent": VenueUnavailable(venue="x", cause="y"),
                "lost before": OutcomeUnknown(venue="x", cause="y"),
            }.get(fault)
        )
        fake.after_submit = _raiser(
            OutcomeUnknown(venue="x", cause="y") if fault == "lost" else None
        )
        if fault == "no fills":
            fake.failures["fetch_fills"] = [VenueUnavailable(venue="x", cause="y")]
        market = account.venue.markets.get(symbol="BTC/USDT")
        plan = type(self).make_plan(
            next(self.numbers),
            account_id=account.pk,
            market_id=market.pk,
            side=side,
            quantity=quantity,
            price=price,
        )
        count_before = Order.objects.count()
        try:
            (order,) = write_orders(plans=[plan])
        except FundsReserved:
            code = "USDT" if side is Side.BUY else "BTC"
            needed = price * quantity if side is Side.BUY else quantity
            assert needed > spendable_balances(account.pk)[code]
            assert Order.objects.count() == count_before
            return
        submit_orders(order_ids=[order.pk], clock=self.clock)
        submit_orders(order_ids=[order.pk], clock=self.clock)
        fake.failures.clear()

    @rule(seconds=st.sampled_from([0, 1, 5, 40]), states_fee=st.booleans())
    def sweep(self, seconds, states_fee):
        for fake in self.fakes.values():
            fake.states_fee = states_fee
        self.clock.advance_ms(seconds * 1000)
        resolve_unknown_orders(clock=self.clock)

    @rule(
        where=st.booleans(),
        amount=quantities,
        fee=st.one_of(st.none(), st.just(D("0.0001"))),
    )
    def send(self, where, amount, fee):
        source, target = self.accounts[where], self.accounts[not where]
        name = f"t{next(self.numbers)}"
        transfer = Transfer.objects.create(
            idempotency_key=name,
            client_transfer_id=name,
            from_account=source,
            from_wallet=Wallet.SPOT,
            to_account=target,
            to_wallet=Wallet.FUNDING,
            asset=self.assets["BTC"],
            amount=amount,
            fee=fee,
            state=TransferState.SUBMITTED,
        )
        self.transfers.append(transfer)
        self._move(source, Wallet.SPOT, -amount)
        book_transfers()

    @rule(outcome=st.sampled_from(["arrived", "failed"]), lost=st.sampled_from([D(0), D("1e-8")]))
    def end(self, outcome, lost):
        if not self.transfers:
            return
        transfer = self.transfers.pop()
        arrived = transfer.amount - lost
        Transfer.objects.filter(pk=transfer.pk).update(
            state=outcome, arrived_amount=arrived if outcome == "arrived" else None
        )
        if outcome == "arrived":
            self._move(transfer.to_account, Wallet.FUNDING, arrived)
        else:
            self._move(transfer.from_account, Wallet.SPOT, transfer.amount)
        book_transfer(transfer_id=transfer.pk)
        book_transfer(transfer_id=transfer.pk)

    @rule()
    def settle(self):
        """Once everything is known and booked, the books equal the venues exactly."""
        for fake in self.fakes.values():
            fake.states_fee = True
        for _ in range(12):
            self.clock.advance_ms(31_000)
            resolve_unknown_orders(clock=self.clock)
        assert not Order.objects.filter(state=OrderState.UNKNOWN).exists()
        assert Reservation.objects.count() == 0
        for account in self.accounts:
            stated = {
                (wallet, asset): amount
                for wallet, purse in self.fakes[account.pk].balances.items()
                for asset, amount in purse.items()
                if amount
            }
            booked = {(row.wallet, row.asset): row.amount for row in list_holdings(account.pk)}
            assert booked == stated
        expected = sum((one.amount - (one.fee or 0) for one in self.transfers if one.amount), D(0))
        assert in_transit().get("BTC", D(0)) == expected

    @invariant()
    def books_balance(self):
        if hasattr(self, "savepoint"):
            assert imbalances() == {}
            assert list_total_errors() == {}

    @invariant()
    def what_may_be_spent_is_reserved_and_nothing_else(self):
        if hasattr(self, "savepoint"):
            assert list_stray_reservations() == []

    @invariant()
    def no_order_is_sent_twice(self):
        for fake in self.fakes.values():
            assert len(fake.submissions) == len(set(fake.submissions))

    @invariant()
    def no_execution_is_booked_twice(self):
        known = sum(len(fake.fills) for fake in self.fakes.values())
        assert Fill.objects.count() <= known

    def _move(self, account, wallet, amount):
        purse = self.fakes[account.pk].balances[wallet]
        purse["BTC"] = purse.get("BTC", D(0)) + amount


def _raiser(error):
    def hook(request):
        raise error

    return hook if error is not None else None


def test_the_books_stand_whatever_happens(alpha, beta, make_plan, assets):
    class Machine(Books):
        pass

    Machine.accounts = (alpha[0], beta[0])
    Machine.fakes = {alpha[0].pk: alpha[1], beta[0].pk: beta[1]}
    Machine.make_plan = make_plan
    Machine.assets = assets
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=15,
            deadline=None,
            # shrinking takes minutes here; a failing run of a few steps is read as well as it is
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
