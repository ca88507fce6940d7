from typing import Any

import ccxt
import pytest
from ccxt.base import errors as ccxt_errors

from arbplatform.core.errors import Message
from markets.errors import (
    AnswerUnreadable,
    DuplicateClientId,
    InsufficientFunds,
    NotFillable,
    NotSupportedByVenue,
    OrderAbsent,
    OrderTooLate,
    OutcomeUnknown,
    VenueAuthFailed,
    VenueError,
    VenueRateLimited,
    VenueRejected,
    VenueUnavailable,
    WouldTake,
)
from markets.gateway.error_map import (
    CAUSE_LENGTH_MAX,
    Effect,
    Malformed,
    TooLate,
    is_clock_refusal,
    redact,
    translate,
)
from markets.gateway.pulses import signal_of
from markets.gateway.quirks import quirks_for

AWAY, LOST, NO, KEY = VenueUnavailable, OutcomeUnknown, VenueRejected, VenueAuthFailed
SLOW, GONE, TWICE = VenueRateLimited, OrderAbsent, DuplicateClientId
POOR, NEVER = InsufficientFunds, NotSupportedByVenue

# Every class of ccxt: (of a read, of a write without a venue code, of a write with one, of a
# cancel without one, of a write that was never sent). A new class needs a decision here.
DECISIONS: dict[str, tuple[type[VenueError], ...]] = {
    "BaseError": (AWAY, LOST, LOST, LOST, NO),
    "ExchangeError": (AWAY, LOST, LOST, LOST, NO),
    "AuthenticationError": (KEY, LOST, KEY, LOST, KEY),
    "PermissionDenied": (KEY, LOST, KEY, LOST, KEY),
    "AccountNotEnabled": (KEY, LOST, KEY, LOST, KEY),
    "AccountSuspended": (KEY, LOST, KEY, LOST, KEY),
    "ArgumentsRequired": (NO, LOST, NO, LOST, NO),
    "BadRequest": (NO, LOST, NO, LOST, NO),
    "BadSymbol": (NO, LOST, NO, LOST, NO),
    "OperationRejected": (NO, LOST, NO, LOST, NO),
    "NoChange": (NO, LOST, NO, LOST, NO),
    "MarginModeAlreadySet": (NO, LOST, NO, LOST, NO),
    "MarketClosed": (NO, LOST, NO, LOST, NO),
    "ManualInteractionNeeded": (NO, LOST, NO, LOST, NO),
    "RestrictedLocation": (NO, LOST, NO, LOST, NO),
    "InsufficientFunds": (POOR,) * 5,
    "InvalidAddress": (AWAY, LOST, NO, LOST, NO),
    "AddressPending": (AWAY, LOST, NO, LOST, NO),
    "InvalidOrder": (NO, LOST, NO, LOST, NO),
    "OrderNotFound": (GONE, LOST, LOST, GONE, NO),
    "OrderNotCached": (GONE, LOST, LOST, GONE, NO),
    "OrderImmediatelyFillable": (NO, LOST, WouldTake, LOST, NO),
    "OrderNotFillable": (NO, LOST, NotFillable, LOST, NO),
    "DuplicateOrderId": (TWICE, TWICE, TWICE, TWICE, NO),
    "ContractUnavailable": (NO, LOST, NO, LOST, NO),
    "NotSupported": (NEVER, LOST, NEVER, LOST, NEVER),
    "InvalidProxySettings": (AWAY, LOST, LOST, LOST, AWAY),
    "ExchangeClosedByUser": (AWAY, LOST, LOST, LOST, AWAY),
    "OperationFailed": (AWAY, LOST, LOST, LOST, AWAY),
    "NetworkError": (AWAY, LOST, LOST, LOST, AWAY),
    "DDoSProtection": (SLOW, LOST, LOST, LOST, SLOW),
    "RateLimitExceeded": (SLOW, LOST, LOST, LOST, SLOW),
    "ExchangeNotAvailable": (AWAY, LOST, LOST, LOST, AWAY),
    "OnMaintenance": (AWAY, LOST, LOST, LOST, AWAY),
    "InvalidNonce": (AWAY, LOST, LOST, LOST, AWAY),
    "ChecksumError": (AWAY, LOST, LOST, LOST, AWAY),
    "RequestTimeout": (AWAY, LOST, LOST, LOST, AWAY),
    "BadResponse": (AWAY, LOST, LOST, LOST, AWAY),
    "NullResponse": (AWAY, LOST, LOST, LOST, AWAY),
    "CancelPending": (AWAY, LOST, LOST, LOST, AWAY),
    "UnsubscribeError": (AWAY, LOST, LOST, LOST, NO),
}

CCXT_CLASSES = sorted(
    name
    for name, value in vars(ccxt_errors).items()
    if isinstance(value, type) and issubclass(value, ccxt.BaseError)
)
CODED = 'venue {"code":-7777,"msg":"No."}'


def test_every_exception_class_of_ccxt_has_a_decision() -> None:
    assert sorted(DECISIONS) == CCXT_CLASSES


@pytest.mark.parametrize("name", CCXT_CLASSES)
def test_every_exception_class_becomes_the_decided_error(name: str) -> None:
    kind = getattr(ccxt, name, None) or getattr(ccxt_errors, name)
    plain, coded = kind("venue said no"), kind(CODED)

    results = (
        type(translate(plain, Effect.READ, "v")),
        type(translate(plain, Effect.WRITE, "v")),
        type(translate(coded, Effect.WRITE, "v")),
        type(translate(plain, Effect.CANCEL, "v")),
        type(translate(plain, Effect.WRITE, "v", was_sent=False)),
    )

    assert results == DECISIONS[name]


def test_a_bare_error_with_a_code_is_a_refusal_of_a_read_and_nothing_known_of_a_write() -> None:
    error = ccxt.ExchangeError(CODED)

    assert type(translate(error, Effect.READ, "v")) is VenueRejected
    assert type(translate(error, Effect.WRITE, "v")) is OutcomeUnknown


@pytest.mark.parametrize(
    "error",
    [KeyError("orderId"), AttributeError("'str' object has no attribute 'get'"), ValueError("x"),
     TypeError("x"), RuntimeError("x"), AssertionError("precision"), OSError("x")],
)  # fmt: skip
def test_an_exception_that_is_not_ccxts_decides_nothing(error: Exception) -> None:
    assert type(translate(error, Effect.READ, "v")) is VenueUnavailable
    assert type(translate(error, Effect.WRITE, "v")) is AnswerUnreadable
    assert type(translate(error, Effect.CANCEL, "v")) is AnswerUnreadable
    assert type(translate(error, Effect.WRITE, "v", was_sent=False)) is VenueRejected
    unsent = translate(error, Effect.READ, "v", was_sent=False)
    assert type(unsent) is VenueRejected
    assert "check the form of key, secret and options" in str(unsent)
    assert type(error).__name__ in str(translate(error, Effect.READ, "v"))


def test_a_malformed_answer_is_unknown_for_a_write_and_a_failed_read_else() -> None:
    error = Malformed(Message("the answer holds no {what}", {"what": "order id"}))

    assert type(translate(error, Effect.READ, "v")) is VenueUnavailable
    assert type(translate(error, Effect.WRITE, "v")) is OutcomeUnknown
    assert type(translate(error, Effect.WRITE, "v", was_sent=False)) is VenueUnavailable
    assert "no order id" in str(translate(error, Effect.WRITE, "v"))


def _binance(code: int, words: str) -> str:
    return f'binance {{"code":{code},"msg":"{words}"}}'


BINANCE_WRITES: list[tuple[Any, type[VenueError]]] = [
    (
        ccxt.InsufficientFunds(_binance(-2010, "Account has insufficient funds")),
        InsufficientFunds,
    ),
    (ccxt.InvalidOrder(_binance(-2010, "Duplicate order sent.")), DuplicateClientId),
    (ccxt.ExchangeError(_binance(-4116, "ClientOrderId is duplicated")), DuplicateClientId),
    (ccxt.InvalidOrder(_binance(-2010, "Order would immediately match and take.")), VenueRejected),
    (ccxt.BadRequest(_binance(-1013, "Filter failure: NOTIONAL")), VenueRejected),
    (ccxt.InvalidOrder(_binance(-1013, "Filter failure: LOT_SIZE")), VenueRejected),
    (ccxt.BadSymbol(_binance(-1121, "Invalid symbol.")), VenueRejected),
    (ccxt.AuthenticationError(_binance(-1022, "Signature is not valid.")), VenueAuthFailed),
    (
        ccxt.InvalidNonce(_binance(-1021, "Timestamp outside recvWindow.")),
        VenueUnavailable,
    ),
    (ccxt.RateLimitExceeded(_binance(-1003, "Too many requests.")), VenueRateLimited),
    (
        ccxt.DDoSProtection(_binance(-1003, "Too much weight; IP banned")),
        VenueRateLimited,
    ),
    (ccxt.RateLimitExceeded(_binance(-1015, "Too many new orders.")), VenueRateLimited),
    (ccxt.OperationFailed(_binance(-1006, "Unexpected response.")), OutcomeUnknown),
    (ccxt.RequestTimeout(_binance(-1007, "Timeout waiting for backend.")), OutcomeUnknown),
    (ccxt.BadRequest(_binance(-1007, "Timeout waiting for backend.")), OutcomeUnknown),
    (ccxt.OperationFailed(_binance(-1008, "Server is currently overloaded.")), OutcomeUnknown),
    (
        ccxt.ExchangeNotAvailable("binance POST http://x 503 Service Unavailable <html>"),
        OutcomeUnknown,
    ),
    (ccxt.PermissionDenied("binance POST http://x 403 Forbidden <html>"), OutcomeUnknown),
    (ccxt.DDoSProtection("binance 429 Too Many Requests <html>"), OutcomeUnknown),
]


@pytest.mark.parametrize(("error", "expected"), BINANCE_WRITES)
def test_the_venues_code_decides_a_write_before_the_class_does(
    error: Exception, expected: type[VenueError]
) -> None:
    translated = translate(error, Effect.WRITE, "v", quirks=quirks_for("binance"))

    assert type(translated) is expected


def test_a_revoked_key_is_seen_behind_the_class_that_hides_it() -> None:
    # Once authenticated, ccxt raises DDoSProtection for -2015 (faults row 40).
    error = ccxt.DDoSProtection(_binance(-2015, "Invalid API-key, IP, or permissions for action."))

    translated = translate(
        error, Effect.WRITE, "v", known_codes={"-2015": ccxt.AuthenticationError}
    )

    assert type(translated) is VenueAuthFailed


def test_a_rate_code_is_seen_in_a_read_whatever_the_class() -> None:
    error = ccxt.ExchangeError(_binance(-1003, "Too many requests."))

    assert (
        type(translate(error, Effect.READ, "v", quirks=quirks_for("binance"))) is VenueRateLimited
    )


def test_codes_of_the_rows_count_before_the_code_of_the_batch() -> None:
    row = '{"sCode":"51016","sMsg":"Client order ID already exists."}'
    text = f'okx {{"code":"1","msg":"All failed","data":[{row}]}}'

    translated = translate(ccxt.InvalidOrder(text), Effect.WRITE, "v", quirks=quirks_for("okx"))

    assert type(translated) is DuplicateClientId
    assert str(translated).endswith("Client order ID already exists. [51016]")


def test_a_list_of_error_words_is_a_code() -> None:
    error = ccxt.InvalidNonce('kraken {"error":["EAPI:Invalid nonce"]}')

    assert is_clock_refusal(error, quirks_for("kraken"))
    assert (
        type(translate(error, Effect.WRITE, "v", quirks=quirks_for("kraken"))) is VenueUnavailable
    )


def test_a_code_that_ccxt_matched_counts_though_the_text_has_none() -> None:
    error = ccxt.BadRequest("binance Precision is over the maximum defined for this asset.")
    error.venue_code = "Precision is over the maximum defined for this asset."

    assert type(translate(error, Effect.WRITE, "v")) is VenueRejected


def test_an_order_that_is_gone_is_absent_for_a_cancel() -> None:
    error = ccxt.OrderNotFound(_binance(-2011, "Unknown order sent."))

    assert type(translate(error, Effect.CANCEL, "v")) is OrderAbsent


def test_success_codes_are_no_codes() -> None:
    error = ccxt.InvalidOrder('v {"code":"0","msg":""}')

    assert type(translate(error, Effect.WRITE, "v")) is OutcomeUnknown


def test_messages_show_no_secret_and_no_signed_address() -> None:
    key, secret = "kPUBLICKEYkPUBLICKEY", "sSECRETsSECRETsSECRET"
    text = (
        f"binance POST https://api.binance.com/api/v3/order?timestamp=1&signature=abc123 {key} "
        f'{{"apiKey":"zzz","note":"{secret}"}} X-MBX-APIKEY: qqq passphrase=hunter2'
    )

    for effect in Effect:
        shown = str(translate(ccxt.NetworkError(text), effect, "v", secrets=(key, secret, "")))
        for hidden in (key, secret, "abc123", "zzz", "qqq", "hunter2", "timestamp=1"):
            assert hidden not in shown


def test_redaction_leaves_the_rest_and_ignores_secrets_too_short_to_be_any() -> None:
    text = "GET http://h/p?a=1 said: no"

    assert redact(text, ["a"]) == "GET http://h/p said: no"


def test_a_page_of_html_becomes_a_bounded_line_of_words() -> None:
    page = "v GET http://h/p 503 Service Unavailable <html>" + "<p>maintenance</p>" * 5_000

    shown = str(translate(ccxt.ExchangeError(page), Effect.READ, "v").message.context["cause"])

    assert len(shown) == CAUSE_LENGTH_MAX
    assert shown.startswith("v GET http://h/p 503 Service Unavailable maintenance maintenance")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ccxt.RequestTimeout("v POST http://h"), "no answer within the time limit"),
        (ccxt.NetworkError("v POST http://h"), "the connection failed or broke"),
        (ccxt.OnMaintenance("v"), "it is under maintenance"),
        (ccxt.ExchangeError(""), "ExchangeError"),
        (ccxt.ExchangeError('v {"code":-9,"msg":"broken \\x escape"}'), "broken"),
    ],
)
def test_causes_are_words_for_people(error: Exception, words: str) -> None:
    assert words in str(translate(error, Effect.READ, "v"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ccxt.OnMaintenance('v {"msg":"System is under maintenance."}'), "maintenance. Nothing"),
        (
            ccxt.OnMaintenance('v {"code":-9,"msg":"Under maintenance."}'),
            "maintenance. [-9]. Nothing",
        ),
        (ccxt.ExchangeError("v <p>Be right back.</p> "), "Be right back. Nothing"),
    ],
)
def test_a_full_stop_of_the_venue_is_not_followed_by_ours(error: Exception, said: str) -> None:
    assert said in str(translate(error, Effect.READ, "v"))


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize(
    "text",
    ['v {"code":"51008","msg":"no\\u0000 funds\\ud83d\\n here"}', "v no\x00 funds\x7f here"],
)
def test_words_of_a_venue_that_no_database_takes_are_left_out(text: str, effect: Effect) -> None:
    cause = str(translate(ccxt.InsufficientFunds(text), effect, "v").message.context["cause"])

    assert "no funds here" in cause
    assert cause.isprintable()


def test_the_context_carries_the_venue_for_the_edge() -> None:
    error = translate(ccxt.RequestTimeout("x"), Effect.WRITE, "alpha")

    assert error.message.context["venue"] == "alpha"
    assert isinstance(error.message.context["cause"], Message)


def test_an_order_that_we_held_back_says_nothing_about_its_venue():
    error = translate(TooLate(), Effect.WRITE, "v", was_sent=False)

    assert type(error) is OrderTooLate
    assert signal_of(error, TooLate(), 0) is None


def test_if_something_of_the_order_had_left_before_it_is_looked_up():
    assert type(translate(TooLate(), Effect.WRITE, "v", was_sent=True)) is OutcomeUnknown
