"""What a round cannot see any more, since it lies too far back, is not gone."""

from dataclasses import replace

import pytest

from ledger.models import Discrepancy
from markets.domain.funds import Wallet

DAY_MS = 86_400_000


@pytest.fixture
def voided(bought, venue):
    """The venue takes a trade back, without a word."""
    trade = venue.fills.pop()
    purse = venue.balances[Wallet.SPOT]
    purse["BTC"] -= trade.quantity - trade.fee
    purse["USDT"] += trade.quantity * trade.price
    return trade


@pytest.mark.usefixtures("voided")
def test_an_alarm_about_a_trade_stays_when_histories_are_not_read_so_far_back(look, clock):
    for _round in range(6):
        look()
    clock.advance_ms(8 * DAY_MS)

    for _round in range(3):
        look()

    assert Discrepancy.objects.get(kind="unlisted_fill").state == "alarmed"


@pytest.mark.parametrize("is_voided", [True, False])
def test_a_trade_that_is_older_than_its_first_sight_is_watched_until_the_alarm(
    look, bought, venue, clock, is_voided
):
    look()
    if is_voided:
        trade = venue.fills.pop()
    else:
        trade = replace(venue.fills[-1], venue_trade_id="more", executed_at_ms=clock.now_ms())
        venue.fills.append(trade)
    clock.advance_ms(3 * 3_600_000)  # no worker was there

    for _round in range(6):
        look()

    kind = "unlisted_fill" if is_voided else "missing_fill"
    assert Discrepancy.objects.get(kind=kind).state == "alarmed"
