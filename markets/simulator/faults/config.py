"""One fault as it is written down, checked and typed."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from arbplatform.core.errors import InvalidInput
from markets.simulator.faults.kinds import (
    COMMON_FIELDS,
    GROUP_FIELDS,
    KINDS,
    FaultKind,
    Group,
    Kind,
)
from markets.simulator.faults.names import Address, addresses_of

Positive = Annotated[Decimal, Field(gt=0, max_digits=38, decimal_places=18)]
Milliseconds = Annotated[int, Field(ge=0, le=600_000)]
OFFSET_MAX_MS = 3_600_000
DEFAULT_CODE = -1008

CODES: Mapping[int, tuple[int, str]] = {
    -1000: (500, "An unknown error occurred while processing the request."),
    -1001: (503, "Internal error; unable to process your request. Please try again."),
    -1003: (
        429,
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.",
    ),
    -1006: (
        500,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    -1007: (
        504,
        (
            "Timeout waiting for response from backend server. Send status unknown; execution "
            "status unknown."
        ),
    ),
    -1008: (
        503,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    -1013: (400, "Market is closed."),
    -1015: (429, "Too many new orders; current limit is 50 orders per 10 SECOND."),
    -1016: (503, "This service is no longer available."),
    -1021: (400, "Timestamp for this request is outside of the recvWindow."),
    -1022: (400, "Signature for this request is not valid."),
    -2010: (400, "Duplicate order sent."),
    -2011: (400, "Unknown order sent."),
    -2013: (400, "Order does not exist."),
    -2015: (401, "Invalid API-key, IP, or permissions for action."),
}
"""HTTP status and words of the venue's own codes, used where a fault names none."""


class FaultConfig(BaseModel):
    """A failure on purpose.

    Attributes:
        kind: what goes wrong.
        endpoint: a name such as ``order.create`` or ``order.*``, or a path; empty for any.
        path: below the venue, such as ``api/v3/order``; empty for any.
        method: such as ``POST``; empty for any.
        symbol: such as ``BTC/USDT``; empty for any.
        side: ``buy`` or ``sell``; empty for any.
        account: label; empty for any.
        asset: such as ``USDT``; empty for any.
        times: how often; ``None`` for ever. Once unless the kind lasts or ``for_ms`` is given.
        for_ms: how long it is armed [ms], from when ``after`` is over; ``None`` for ever.
        after: matching requests that pass first.
        chance: of each matching request to go wrong [fraction].
        delay_ms: how late [ms].
        status, code, text: of a refusal or answer; where not given, those that go with the code.
        is_carried_out: whether the request is carried out all the same; ``None`` as the kind says.
        retry_after_s: what the header Retry-After says [s].
        offset_ms: by which the venue's clock is ahead [ms].
        part: of an order that trades in time [fraction]; half of it, or nothing of a late fill.
        amount: [base asset of a trade, or asset].
        price: limit of a trade by hand [quote per base]; ``None`` for a market order.
        client_id: of a trade by hand; one that looks like the website's if not given.
        market_status: of a suspended market.
        bps: by which a false bid is above the best ask [bps].
        coin: in which fees are taken.
        discount: on fees in that coin [fraction]; a quarter if not given.
        stream: ``market`` or ``user``; empty for any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    endpoint: str = ""
    path: str = ""
    method: str = ""
    symbol: Annotated[str, Field(pattern=r"^([A-Z0-9]{1,16}/?[A-Z0-9]{0,16})?$")] = ""
    side: Literal["", "buy", "sell"] = ""
    account: str = ""
    asset: str = ""
    times: Annotated[int, Field(ge=1)] | None = 1
    for_ms: Annotated[int, Field(ge=1, le=86_400_000)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    chance: Annotated[float, Field(gt=0, le=1)] = 1.0
    delay_ms: Milliseconds = 0
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    code: int | None = None
    text: Annotated[str, Field(max_length=1_000)] = ""
    is_carried_out: bool | None = None
    retry_after_s: Annotated[int, Field(ge=0, le=259_200)] | None = None
    offset_ms: Annotated[int, Field(ge=-OFFSET_MAX_MS, le=OFFSET_MAX_MS)] = 0
    part: Annotated[Decimal, Field(ge=0, lt=1)] | None = None
    amount: Positive | None = None
    price: Positive | None = None
    client_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{0,36}$")] = ""
    market_status: Literal["BREAK", "HALT"] = "BREAK"
    bps: Annotated[int, Field(ge=0, le=10_000)] = 10
    coin: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,16}$")] = ""
    discount: Annotated[Decimal, Field(ge=0, lt=1)] | None = None
    stream: Literal["", "market", "user"] = ""

    @model_validator(mode="before")
    @classmethod
    def _know_how_often(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "times" in value:
            return value
        try:
            lasts = KINDS[FaultKind(str(value.get("kind")))].is_lasting
        except ValueError:
            return value
        return value | {"times": None if lasts or value.get("for_ms") is not None else 1}

    @model_validator(mode="after")
    def _check_details(self) -> Self:
        spec = self.spec
        allowed = COMMON_FIELDS | GROUP_FIELDS[spec.group] | spec.fields
        unused = sorted(self.model_fields_set - allowed)
        if unused:
            raise ValueError(f"{self.kind.value} takes no {unused[0]}")
        missing = sorted(name for name in spec.required if getattr(self, name) in {"", None, 0})
        if missing:
            raise ValueError(f"{self.kind.value} needs {missing[0]}")
        if self.endpoint and self.path:
            raise ValueError("give either endpoint or path, not both")
        if spec.is_held and self.times is not None:
            raise ValueError(f"{self.kind.value} ends with for_ms or when it is removed, not times")
        if self.is_at_once and self.model_fields_set & {"after", "chance", "for_ms"}:
            raise ValueError(f"{self.kind.value} happens at once: name an endpoint to wait for")
        # Resolved once, here, where a wrong name can still be told.
        _ = self.addresses
        return self

    @property
    def spec(self) -> Kind:
        """What its kind is made of."""
        return KINDS[self.kind]

    @property
    def is_at_once(self) -> bool:
        """Whether it is an act that waits for no request."""
        return self.spec.group is Group.ACT and not (self.endpoint or self.path or self.method)

    @cached_property
    def addresses(self) -> frozenset[Address] | None:
        """Methods and paths that it strikes; ``None`` for any."""
        if self.endpoint:
            return addresses_of(self.endpoint)
        return frozenset({("", self.path)}) if self.path else None

    @cached_property
    def market_id(self) -> str:
        """The symbol as the wire protocol writes it; empty for any."""
        return self.symbol.replace("/", "")

    def to_row(self) -> dict[str, Any]:
        """Return what was asked for, as JSON values, without what is as usual."""
        row = self.model_dump(mode="json", exclude_defaults=True)
        return row | {"times": self.times}


def parse_fault(value: object) -> FaultConfig:
    """Return a checked fault from parsed JSON.

    Raises:
        InvalidInput: with the first thing that is wrong, in one sentence.
    """
    try:
        return FaultConfig.model_validate(value)
    except pydantic.ValidationError as error:
        raise refusal(error, "The fault is not valid: {where}: {cause}.", "fault") from None


def refusal(error: pydantic.ValidationError, template: str, whole: str) -> InvalidInput:
    """Return the first thing that is wrong with a document as an error for people.

    Args:
        error: all that is wrong.
        template: with the places ``{where}`` and ``{cause}``.
        whole: the name of the document, for what is wrong with no part of it alone.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or whole
    return InvalidInput(template, where=where, cause=first["msg"].removeprefix("Value error, "))
