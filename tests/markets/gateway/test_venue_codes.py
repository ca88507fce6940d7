"""What each code of the certified venues means for a new order, and for a cancellation.

ccxt's own tables are walked, so a code that ccxt files under another class some day asks for a
decision here.
"""

from typing import Any

import ccxt
import pytest

from markets.errors import (
    DuplicateClientId,
    InsufficientFunds,
    OrderAbsent,
    OutcomeUnknown,
    VenueAuthFailed,
    VenueClosed,
    VenueError,
    VenueRateLimited,
    VenueRejected,
    VenueUnavailable,
    WouldTake,
)
from markets.gateway.base import VenueSpec
from markets.gateway.capabilities import list_certified
from markets.gateway.client import build_client, known_codes
from markets.gateway.error_map import Effect, translate
from markets.gateway.quirks import quirks_for

VENUES = list_certified()
DEFINITE = (VenueRejected, VenueRateLimited, VenueClosed)
FAMILIES = (
    ccxt.InsufficientFunds,
    ccxt.InvalidOrder,
    ccxt.BadRequest,
    ccxt.AuthenticationError,
    ccxt.OperationRejected,
    ccxt.InvalidAddress,
    ccxt.ArgumentsRequired,
    ccxt.NotSupported,
)
"""Classes that may be definite refusals of an order (Appendix A of the guide)."""


def table(ccxt_id: str) -> dict[str, type[BaseException]]:
    return dict(known_codes(build_client(VenueSpec("v", ccxt_id), None, timeout_ms=1)))


def refuse(
    ccxt_id: str, code: str, kind: Any = ccxt.ExchangeError, effect: Effect = Effect.WRITE
) -> type[VenueError]:
    """Return what an answer with this code becomes."""
    error = kind(f'{ccxt_id} {{"code":"{code}","msg":"No."}}')
    error.venue_code = code
    known = table(ccxt_id)
    return type(translate(error, effect, "v", quirks=quirks_for(ccxt_id), known_codes=known))


@pytest.mark.parametrize("ccxt_id", VENUES)
def test_every_code_that_ccxt_knows_is_definite_only_in_a_class_of_refusals(ccxt_id: str) -> None:
    quirks = quirks_for(ccxt_id)
    ours = quirks.rate_codes | quirks.clock_codes | quirks.auth_codes | quirks.closed_codes

    for code, kind in table(ccxt_id).items():
        became = refuse(ccxt_id, code, kind)
        if issubclass(became, DEFINITE) and code not in ours:
            assert issubclass(kind, FAMILIES), (code, kind, became)
            assert code not in quirks.unclear_codes | quirks.duplicate_codes, code
        if issubclass(kind, ccxt.OrderNotFound) and code not in quirks.duplicate_codes:
            assert became is OutcomeUnknown, code  # about a new order, this makes no sense


@pytest.mark.parametrize("ccxt_id", VENUES)
def test_every_order_that_is_not_found_is_absent_when_it_is_to_be_cancelled(ccxt_id: str) -> None:
    gone = [code for code, kind in table(ccxt_id).items() if issubclass(kind, ccxt.OrderNotFound)]
    gone += sorted(quirks_for(ccxt_id).absent_codes)

    assert gone
    for code in gone:
        kind = table(ccxt_id).get(code, ccxt.InvalidOrder)
        assert refuse(ccxt_id, code, kind, Effect.CANCEL) is OrderAbsent, code


@pytest.mark.parametrize("ccxt_id", VENUES)
def test_no_code_means_two_things(ccxt_id: str) -> None:
    quirks = quirks_for(ccxt_id)
    groups = (
        quirks.unclear_codes,
        quirks.duplicate_codes,
        quirks.rate_codes,
        quirks.clock_codes,
        quirks.auth_codes,
        quirks.closed_codes,
        quirks.absent_codes,
        quirks.unfillable_codes,
        quirks.taking_codes,
    )

    assert sum(map(len, groups)) == len(frozenset[str]().union(*groups))
    assert quirks.order_count_codes <= quirks.rate_codes
    assert set(quirks.lockout_codes) <= quirks.rate_codes


LOST, NO, TWICE, SLOW = OutcomeUnknown, VenueRejected, DuplicateClientId, VenueRateLimited
DECISIONS: list[tuple[str, str, Any, type[VenueError]]] = [
    # fault 4: the code decides, whatever class it comes in
    *(("binance", "-1007", kind, LOST) for kind in (ccxt.RequestTimeout, ccxt.ExchangeError,
                                                    ccxt.BadResponse, ccxt.BadRequest)),
    # faults 7 and 8
    *(("binance", "-1006", kind, LOST) for kind in (ccxt.OperationFailed, ccxt.ExchangeError)),
    *(("binance", "-1008", kind, LOST) for kind in (ccxt.OperationFailed, ccxt.RateLimitExceeded)),
    ("okx", "50004", ccxt.RequestTimeout, LOST),
    ("okx", "50026", ccxt.ExchangeNotAvailable, LOST),
    ("okx", "51149", ccxt.InvalidOrder, LOST),
    ("bybit", "10016", ccxt.ExchangeError, LOST),
    ("bybit", "170007", ccxt.RequestTimeout, LOST),
    ("bybit", "170035", ccxt.BadRequest, LOST),
    ("bybit", "170146", ccxt.InvalidOrder, LOST),
    ("gate", "TOO_BUSY", ccxt.ExchangeNotAvailable, LOST),
    ("gate", "SERVER_ERROR", ccxt.ExchangeNotAvailable, LOST),
    ("kraken", "EService:Busy", ccxt.ExchangeNotAvailable, LOST),
    ("kraken", "EService:Deadline elapsed", ccxt.ExchangeError, LOST),
    ("bitget", "36217", ccxt.InvalidOrder, LOST),
    ("bitget", "40015", ccxt.ExchangeError, LOST),
    # fault 11
    ("binance", "-4116", ccxt.InvalidOrder, TWICE),
    ("okx", "51016", ccxt.InvalidOrder, TWICE),
    ("bybit", "12141", ccxt.BadRequest, TWICE),
    ("bybit", "110072", ccxt.InvalidOrder, TWICE),
    ("bybit", "170141", ccxt.InvalidOrder, TWICE),
    ("gate", "REPEATED_CREATION", ccxt.InvalidOrder, TWICE),
    ("bitget", "43118", ccxt.ExchangeError, TWICE),
    # refused before the matching engine
    ("binance", "-1015", ccxt.RateLimitExceeded, SLOW),
    ("okx", "50011", ccxt.RateLimitExceeded, SLOW),
    ("bybit", "10006", ccxt.RateLimitExceeded, SLOW),
    ("gate", "TOO_FAST", ccxt.RateLimitExceeded, SLOW),
    ("kraken", "EOrder:Rate limit exceeded", ccxt.DDoSProtection, SLOW),
    ("bitget", "429", ccxt.DDoSProtection, SLOW),
    ("binance", "-1021", ccxt.InvalidNonce, VenueUnavailable),
    ("okx", "50102", ccxt.InvalidNonce, VenueUnavailable),
    ("bybit", "10002", ccxt.InvalidNonce, VenueUnavailable),
    ("gate", "REQUEST_EXPIRED", ccxt.AuthenticationError, VenueUnavailable),
    ("kraken", "EAPI:Invalid nonce", ccxt.InvalidNonce, VenueUnavailable),
    ("bitget", "40008", ccxt.InvalidNonce, VenueUnavailable),
    ("kraken", "EService:Market in cancel_only mode", ccxt.OnMaintenance, VenueClosed),
    ("bitget", "41114", ccxt.OnMaintenance, VenueClosed),
    # refused by the matching engine
    ("binance", "-1013", ccxt.BadRequest, NO),
    ("okx", "51008", ccxt.InsufficientFunds, InsufficientFunds),
    ("bybit", "170131", ccxt.InsufficientFunds, InsufficientFunds),
    ("gate", "BALANCE_NOT_ENOUGH", ccxt.InsufficientFunds, InsufficientFunds),
    ("kraken", "EOrder:Insufficient funds", ccxt.InsufficientFunds, InsufficientFunds),
    ("bitget", "43012", ccxt.InsufficientFunds, InsufficientFunds),
    ("gate", "POC_FILL_IMMEDIATELY", ccxt.OrderImmediatelyFillable, WouldTake),
    ("kraken", "EOrder:Order minimum not met", ccxt.InvalidOrder, NO),
    ("okx", "50111", ccxt.AuthenticationError, VenueAuthFailed),
    ("binance", "-2015", ccxt.DDoSProtection, VenueAuthFailed),
]  # fmt: skip


@pytest.mark.parametrize(("ccxt_id", "code", "kind", "expected"), DECISIONS)
def test_a_code_becomes_the_decided_error(
    ccxt_id: str, code: str, kind: Any, expected: type[VenueError]
) -> None:
    assert refuse(ccxt_id, code, kind) is expected


@pytest.mark.parametrize("ccxt_id", VENUES)
@pytest.mark.parametrize(
    "kind", [ccxt.InvalidOrder, ccxt.BadRequest, ccxt.AuthenticationError, ccxt.OperationRejected]
)
def test_a_code_that_is_on_no_list_proves_nothing(ccxt_id: str, kind: Any) -> None:
    error = kind(f'{ccxt_id} {{"code":"987654321","msg":"Something new."}}')

    became = translate(
        error, Effect.WRITE, "v", quirks=quirks_for(ccxt_id), known_codes=table(ccxt_id)
    )

    assert type(became) is OutcomeUnknown


def test_a_bug_names_its_place_and_nothing_of_what_was_read() -> None:
    answer = {"secret": "hunter2"}

    with pytest.raises(KeyError) as bug:
        answer["orderId"]
    became = translate(bug.value, Effect.WRITE, "alpha")

    assert became.code == 2050
    assert "(KeyError at test_venue_codes.py:" in str(became)
    assert "hunter2" not in str(became)
