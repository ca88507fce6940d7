"""Refusals in the exchange's own codes and words: clients decide by both."""

from markets.simulator.exchange.orders import Refusal

BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
INTERNAL = 500


class WireError(Exception):
    """An answer ``{"code": …, "msg": …}``.

    Attributes:
        code: the exchange's number.
        text: its words.
        status: HTTP status.
    """

    def __init__(self, code: int, text: str, status: int = BAD_REQUEST) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.status = status


def unknown_path(path: str) -> WireError:
    """The address is not part of the simulated protocol."""
    return WireError(-1020, f"This operation is not supported: {path}.", NOT_FOUND)


def missing(name: str) -> WireError:
    """A parameter that must be there is not, or is empty."""
    return WireError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def missing_either(first: str, second: str) -> WireError:
    """One of two parameters must be there."""
    return WireError(
        -1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!"
    )


def illegal(name: str, legal: str) -> WireError:
    """A parameter has characters that it may not have."""
    return WireError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def not_required(name: str) -> WireError:
    """A parameter was sent that does not fit the others."""
    return WireError(-1106, f"Parameter '{name}' sent when not required.")


def rejected(text: str) -> WireError:
    """The matching engine refused a new order."""
    return WireError(-2010, text)


def filter_failure(name: str) -> WireError:
    """An order breaks a rule of its market."""
    return WireError(-1013, f"Filter failure: {name}")


UNKNOWN_ERROR = WireError(
    -1000, "An unknown error occurred while processing the request.", INTERNAL
)
EXECUTION_UNKNOWN = WireError(
    -1006,
    "An unexpected response was received from the message bus. Execution status unknown.",
    INTERNAL,
)
TIMESTAMP_AHEAD = WireError(
    -1021, "Timestamp for this request was 1000ms ahead of the server's time."
)
TIMESTAMP_OUTSIDE = WireError(-1021, "Timestamp for this request is outside of the recvWindow.")
RECV_WINDOW_TOO_LARGE = WireError(-1131, "recvWindow must be less than 60000.")
BAD_SIGNATURE = WireError(-1022, "Signature for this request is not valid.")
BAD_KEY_FORMAT = WireError(-2014, "API-key format invalid.", UNAUTHORIZED)
KEY_REJECTED = WireError(-2015, "Invalid API-key, IP, or permissions for action.", UNAUTHORIZED)
BAD_SYMBOL = WireError(-1121, "Invalid symbol.")
BAD_INTERVAL = WireError(-1120, "Invalid interval.")
BAD_SIDE = WireError(-1117, "Invalid side.")
BAD_ORDER_TYPE = WireError(-1116, "Invalid orderType.")
BAD_TIME_IN_FORCE = WireError(-1115, "Invalid timeInForce.")
NO_DEPTH = WireError(-1112, "No orders on book for symbol.")
UNKNOWN_ORDER_TO_CANCEL = WireError(-2011, "Unknown order sent.")
UNKNOWN_ORDER = WireError(-2013, "Order does not exist.")
UNKNOWN_LISTEN_KEY = WireError(-1125, "This listenKey does not exist.")
UNKNOWN_ASSET = WireError(-4018, "We don't have this asset.")
TRANSFER_TOO_LARGE = WireError(-5013, "Asset transfer failed: insufficient balance")
WITHDRAW_TOO_LARGE = WireError(-4026, "You have insufficient balance.")
WITHDRAW_BELOW_FEE = WireError(
    -4028, "The amount of withdrawal must be greater than the Commission."
)
WITHDRAW_BAD_ADDRESS = WireError(-4033, "Illegal address.")
WITHDRAW_BAD_NETWORK = WireError(-4019, "Current asset is not open for withdrawal.")
WITHDRAW_REPEATED = WireError(-4104, "withdrawOrderId was used before.")

BY_REFUSAL: dict[Refusal, WireError] = {
    Refusal.PRICE_FILTER: filter_failure("PRICE_FILTER"),
    Refusal.LOT_SIZE: filter_failure("LOT_SIZE"),
    Refusal.NOTIONAL: filter_failure("NOTIONAL"),
    Refusal.MAX_NUM_ORDERS: filter_failure("MAX_NUM_ORDERS"),
    Refusal.INSUFFICIENT_BALANCE: rejected(
        "Account has insufficient balance for requested action."
    ),
    Refusal.DUPLICATE_CLIENT_ID: rejected("Duplicate order sent."),
    Refusal.WOULD_TAKE: rejected("Order would immediately match and take."),
    Refusal.MARKET_CLOSED: WireError(-1013, "Market is closed."),
    Refusal.NO_LIQUIDITY: NO_DEPTH,
}
"""What the engine's reasons are called on the wire."""
