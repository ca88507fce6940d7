"""What strategy types that take liquidity have in common: their parameters."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from arbplatform.core.decimals import STORED_DECIMAL_PLACES, STORED_DIGITS_MAX, Amount, to_plain
from arbplatform.core.errors import Message
from strategies.domain.candidate import UNLIMITED, Terms
from strategies.domain.kernels.rates import least_rate
from strategies.sdk import BOOK_DEPTH_DEFAULT, Params, param_error

Money = Annotated[
    Decimal, Field(max_digits=STORED_DIGITS_MAX, decimal_places=STORED_DECIMAL_PLACES)
]
"""An amount that the database can hold exactly."""

LOSS_BPS_DEFAULT = Decimal(50)
"""Fees of two trades and a usual spread: with less, hardly any leg could be reversed [bps]."""

BookDepth = Annotated[int, Field(ge=1, le=1000)]


class TakingParams(Params):
    """Parameters of every strategy that crosses the books of others."""

    min_edge_bps: Money = Field(
        default=Decimal(5),
        ge=0,
        le=1000,
        title="Minimum edge [bps]",
        description=(
            "Profit after fees and rounding to lots, per amount spent, that a trade must promise. "
            "100 bps are 1 %."
        ),
    )
    max_edge_bps: Money = Field(
        default=Decimal(500),
        validate_default=True,
        gt=0,
        le=100_000,
        title="Too good to be true [bps]",
        description=(
            "Above this edge nothing is traded: prices that far apart usually mean another coin "
            "of the same name, a halted market or broken data."
        ),
    )
    min_profit: Money = Field(
        default=Decimal(0),
        ge=0,
        title="Minimum profit",
        description="Profit after fees and rounding to lots that a trade must promise, in total.",
    )
    participation: Money = Field(
        default=Decimal("0.5"),
        gt=0,
        le=1,
        title="Participation",
        description=(
            "Part of every price level of a book that is counted on, from 0 to 1: others want it "
            "too."
        ),
    )
    balance_share: Money = Field(
        default=Decimal("0.95"),
        gt=0,
        le=1,
        title="Share of balance",
        description="Part of a free balance that one trade may use, from 0 to 1.",
    )
    slippage_share: Money = Field(
        default=Decimal("0.5"),
        ge=0,
        le=1,
        title="Share of edge given away",
        description=(
            "Part of the edge that limit prices may give away to be filled although the book "
            "moved, from 0 to 1. The minimum edge and profit are kept in any case."
        ),
    )
    max_loss_bps: Money = Field(
        default=LOSS_BPS_DEFAULT,
        ge=0,
        le=1000,
        title="Most to lose on a repair [bps]",
        description=(
            "When some leg falls short, the rest is sent or the filled part is reversed as long "
            "as that loses no more than this of what it cost; beyond it the execution is held "
            "for a person."
        ),
    )
    book_age_ms_max: int = Field(
        default=2000,
        ge=1,
        le=600_000,
        title="Oldest order book [ms]",
        description="An order book that was received longer ago is not used.",
    )
    book_skew_ms_max: int = Field(
        default=1500,
        ge=0,
        le=600_000,
        title="Order books apart [ms]",
        description="Order books that were received further apart are not compared.",
    )
    depth: BookDepth = Field(
        default=BOOK_DEPTH_DEFAULT,
        title="Depth [levels]",
        description="Price levels of each side of an order book to look at.",
    )

    @property
    def book_wait_ms(self) -> int:
        """How long books are waited for once one has come [ms]: some of its age is left then."""
        return self.book_age_ms_max * 3 // 4

    @field_validator("max_edge_bps")
    @classmethod
    def _is_above_minimum(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        minimum = info.data.get("min_edge_bps")
        if minimum is not None and value <= minimum:
            raise param_error(
                Message(
                    "Must be above the minimum edge of {min_edge_bps} bps.",
                    {"min_edge_bps": to_plain(minimum)},
                )
            )
        return value

    def to_terms(self, *, spend_max: Amount, max_dust_bps: Decimal | None = None) -> Terms:
        """Return the parameters as the terms of sizing.

        Args:
            spend_max: most that one trade may spend at limit prices [start asset].
            max_dust_bps: most that leftovers may be worth [bps of what is spent]; ``None`` where
                leftovers count nothing anyway.
        """
        return Terms(
            edge_bps_min=self.min_edge_bps,
            edge_bps_max=self.max_edge_bps,
            profit_min=self.min_profit,
            spend_max=spend_max,
            participation=self.participation,
            balance_share=self.balance_share,
            slippage_share=self.slippage_share,
            dust_bps_max=UNLIMITED if max_dust_bps is None else max_dust_bps,
            depth=self.depth,
        )

    def least_rate(self, *, spend_max: Amount) -> float:
        """Return what a unit sent around must bring at the best prices, to nominate.

        Args:
            spend_max: most that one trade may spend [start asset].
        """
        terms = self.to_terms(spend_max=spend_max)
        return least_rate(
            edge_min=terms.edge_min, profit_min=terms.profit_min, spend_max=terms.spend_max
        )


def refuse_repetitions(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``values`` if each stands there once."""
    for value in values:
        if values.count(value) > 1:
            raise param_error(Message("{value} is named twice.", {"value": value}))
    return values
