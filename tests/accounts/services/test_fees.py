"""What accounts pay on markets, as their venue tells."""

from decimal import Decimal as D

import pytest
from django.utils import timezone

from accounts.models import VenueAccount
from accounts.services.accounts import create_account, update_account
from accounts.services.fees import TOLD_FOR, read_fees
from arbplatform.core.clock import SYSTEM_CLOCK, FixedClock, to_ms
from markets.domain.fees import FeeSchedule
from markets.errors import VenueAuthFailed, VenueUnavailable
from markets.models import Market
from markets.services.markets import _store

pytestmark = pytest.mark.django_db

SYMBOL = "BTC/USDT"


@pytest.fixture
def market(alpha, assets):
    """A market at alpha, 0.1 % by the list."""
    return Market.objects.create(
        venue=alpha[0].venue,
        symbol=SYMBOL,
        base=assets["BTC"],
        quote=assets["USDT"],
        tick=D("0.01"),
        lot=D("0.0001"),
        quantity_min=D("0.0001"),
        notional_min=D(5),
        maker_fee=D("0.001"),
        taker_fee=D("0.001"),
        synced_at=timezone.now(),
    )


@pytest.fixture
def other(make_account):
    """A second account at alpha."""
    return make_account("alpha", label="other")


def pays(account, maker, taker):
    account[1].fees[SYMBOL] = FeeSchedule(D(maker), D(taker))


def read(market, clock=SYSTEM_CLOCK):
    moved = read_fees(venue_id=market.venue_id, symbols={SYMBOL}, clock=clock)
    market.refresh_from_db()
    return moved, market.planned_maker_fee, market.planned_taker_fee


def stamp(market):
    market.venue.refresh_from_db()
    return market.venue.updated_at


def test_of_two_accounts_the_higher_fees_count(market, alpha, other):
    pays(alpha, "0.0002", "0.008")
    pays(other, "0.0005", "0.0004")

    assert read(market) == (1, D("0.0005"), D("0.008"))
    assert (market.maker_fee, market.taker_fee) == (D("0.001"), D("0.001"))


def test_the_venue_is_stamped_only_when_other_fees_are_planned_with(market, alpha):
    pays(alpha, "0.001", "0.001")
    before = stamp(market)
    assert read(market) == (0, D("0.001"), D("0.001"))
    assert stamp(market) == before
    assert market.own_fees_at is not None

    pays(alpha, "0.001", "0.002")
    assert read(market)[0] == 1
    assert stamp(market) > before


@pytest.mark.parametrize("error", [VenueUnavailable, VenueAuthFailed])
def test_an_account_that_was_not_told_makes_nothing_cheaper(market, alpha, other, error):
    pays(alpha, "0.0002", "0.0003")
    other[1].failures["fetch_fees"] = [error(venue="alpha", cause="no")]
    assert read(market)[1:] == (D("0.001"), D("0.001"))

    pays(alpha, "0.0002", "0.008")
    other[1].failures["fetch_fees"] = [error(venue="alpha", cause="no")]
    assert read(market)[1:] == (D("0.001"), D("0.008"))


def test_an_account_whose_key_was_refused_is_not_asked(market, alpha, other):
    pays(alpha, "0.0002", "0.0003")
    VenueAccount.objects.filter(pk=other[0].pk).update(sync_error_code=VenueAuthFailed.code)

    assert read(market) == (0, D("0.001"), D("0.001"))
    assert other[1].count("fetch_fees") == 0


def join(how, alpha):
    """Have another account join that at alpha; the venue tells nothing of what it pays."""
    if how == "new key":
        update_account(account_id=alpha[0].pk, api_key="planted-key-of-another-account")
        return
    joined = create_account(
        venue=alpha[0].venue,
        label="joined",
        api_key="planted-key-of-joined",
        api_secret="planted-secret-of-joined",
        is_enabled=how == "made",
    )
    if how == "enabled":
        update_account(account_id=joined.pk, is_enabled=True)


@pytest.mark.parametrize("how", ["made", "enabled", "new key"])
@pytest.mark.parametrize(
    ("told", "planned"), [("0.0002", "0.001"), ("0.008", "0.008")], ids=["lower", "higher"]
)
def test_an_account_that_joins_others_does_not_get_their_lower_fees(
    market, alpha, how, told, planned
):
    pays(alpha, told, told)
    read(market)
    before = stamp(market)

    join(how, alpha)

    market.refresh_from_db()
    assert market.to_fees() == FeeSchedule(D(planned), D(planned))
    assert (stamp(market) > before) is (told != planned)


def test_what_is_changed_with_an_account_besides_its_key_leaves_its_fees_alone(market, alpha):
    pays(alpha, "0.0002", "0.0002")
    read(market)

    update_account(account_id=alpha[0].pk, label="renamed", is_enabled=True)

    market.refresh_from_db()
    assert market.planned_taker_fee == D("0.0002")


def test_an_account_that_joins_while_others_are_asked_does_not_get_their_lower_fees(market, alpha):
    pays(alpha, "0.0002", "0.0002")
    alpha[1].on_call = lambda _name: join("made", alpha)

    assert read(market) == (0, D("0.001"), D("0.001"))


def test_a_disabled_account_does_not_count(market, alpha, other):
    pays(alpha, "0.0002", "0.0003")
    pays(other, "0.5", "0.5")
    VenueAccount.objects.filter(pk=other[0].pk).update(is_enabled=False)

    assert read(market) == (1, D("0.0002"), D("0.0003"))


def test_a_venue_that_fails_changes_nothing(market, alpha):
    pays(alpha, "0.002", "0.008")
    read(market)
    told_at = market.own_fees_at
    alpha[1].failures["fetch_fees"] = [VenueUnavailable(venue="alpha", cause="no")]

    assert read(market) == (0, D("0.002"), D("0.008"))
    assert market.own_fees_at == told_at


@pytest.mark.parametrize(
    ("told", "planned"), [("0.0002", "0.001"), ("0.008", "0.008")], ids=["lower", "higher"]
)
def test_a_discount_that_the_venue_tells_of_no_more_is_planned_with_for_a_day(
    market, alpha, told, planned
):
    pays(alpha, told, told)
    read(market)
    clock = FixedClock(at_ms=to_ms(market.own_fees_at + TOLD_FOR))
    alpha[1].fees.clear()
    assert read(market, clock) == (0, D(told), D(told))

    clock.advance_ms(1)
    assert read(market, clock) == (int(told != planned), D(planned), D(planned))
    assert read(market, clock) == (0, D(planned), D(planned))

    pays(alpha, told, told)
    assert read(market, clock)[1:] == (D(told), D(told))


def test_what_can_be_no_fee_is_left_out(market, alpha):
    pays(alpha, "0.001", "1")

    assert read(market) == (0, D("0.001"), D("0.001"))
    assert market.own_fees_at is None


def test_a_synchronisation_leaves_own_fees_alone(market, alpha):
    listed = market.to_rules()
    pays(alpha, "0.002", "0.008")
    read(market)
    _store(market.venue_id, [listed])

    market.refresh_from_db()
    assert market.to_rules().fees == FeeSchedule(D("0.002"), D("0.008"))
