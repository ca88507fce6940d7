"""Events as lines of the double-entry ledger: every function returns lines that sum to zero.

The sign is that of the wallet: what comes in is positive there, and negative in the account that
it comes from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from arbplatform.core.decimals import (
    SMALLEST_STORED,
    STORED_LIMIT,
    ZERO,
    Amount,
    Price,
    Quantity,
)
from ledger.errors import Imbalanced, Unbookable
from markets.domain.funds import Wallet
from markets.domain.orders import Side


class Book(StrEnum):
    """The ledger accounts."""

    WALLET = "wallet"
    """What we hold at a venue: the only one that a venue can confirm."""
    IN_TRANSIT = "in_transit"
    """Left one venue and has not reached the other."""
    TRADING = "trading"
    TRADING_FEES = "trading_fees"
    NETWORK_FEES = "network_fees"
    LOSSES = "losses"
    """Did not arrive, and was no fee either."""
    CAPITAL = "capital"
    """What was there when the books were opened."""
    EXTERNAL = "external"
    """Came or went without the platform."""


FEE_LATE = ":fee"
"""End of the key of an entry that books the fee of a trade late; the trade's own is before it."""

FEE_CORRECTED = ":fee-corrected"
"""The same of one that corrects the fee once more is known."""

FEE_SETTLED = ":fee-settled"
"""The same of one that books what a person says it was."""

TRADING_BOOKS = (Book.TRADING, Book.TRADING_FEES)
"""Their sum with the opposite sign is the result of trading."""


@dataclass(frozen=True, slots=True)
class Line:
    """One posting, not yet written.

    Attributes:
        book: ledger account.
        asset: code.
        amount: [units of ``asset``].
        account_id: venue account that it concerns, if any.
        wallet: purse inside the venue account; wallet lines only.
    """

    book: Book
    asset: str
    amount: Amount
    account_id: int | None = None
    wallet: Wallet | None = None


@dataclass(frozen=True, slots=True)
class Purse:
    """A wallet of a venue account."""

    account_id: int
    wallet: Wallet = Wallet.SPOT

    def line(self, asset: str, amount: Amount) -> Line:
        """Return the line that puts ``amount`` into the purse."""
        return Line(Book.WALLET, asset, amount, self.account_id, self.wallet)


def fill_lines(
    *,
    purse: Purse,
    base: str,
    quote: str,
    side: Side,
    quantity: Quantity,
    cost: Amount,
    fee: Amount | None,
    fee_asset: str | None,
) -> tuple[Line, ...]:
    """Return the lines of one execution.

    Args:
        purse: the wallet that was traded from.
        base: asset code.
        quote: asset code.
        side: ours.
        quantity: [base], positive.
        cost: [quote], positive.
        fee: [fee_asset]; negative is a rebate, ``None`` is not known yet.
        fee_asset: asset code; ``None`` if the fee is zero or not known.
    """
    sign = 1 if side is Side.BUY else -1
    lines = [
        *_exchange(purse, base, sign * quantity, Book.TRADING),
        *_exchange(purse, quote, -sign * cost, Book.TRADING),
    ]
    if fee and fee_asset:
        lines += fee_lines(purse=purse, fee=fee, fee_asset=fee_asset)
    return tuple(lines)


def fee_lines(*, purse: Purse, fee: Amount, fee_asset: str) -> tuple[Line, ...]:
    """Return the lines of a trading fee; negative is a rebate.

    Args:
        purse: the wallet that paid.
        fee: [fee_asset].
        fee_asset: asset code.
    """
    return _exchange(purse, fee_asset, -fee, Book.TRADING_FEES) if fee else ()


def opening_lines(*, account_id: int, holdings: Mapping[tuple[Wallet, str], Amount]) -> list[Line]:
    """Return the lines that take over what an account holds when its books are opened.

    Args:
        account_id: venue account.
        holdings: (wallet, asset code) to everything that is there, held amounts included.
    """
    return [
        line
        for (wallet, asset), amount in holdings.items()
        if amount
        for line in _exchange(Purse(account_id, wallet), asset, amount, Book.CAPITAL)
    ]


def departure_lines(
    *, source: Purse, asset: str, amount: Amount, fee: Amount | None
) -> tuple[Line, ...]:
    """Return the lines of funds that left a venue.

    Args:
        source: the wallet that they left.
        asset: code.
        amount: what the wallet lost, network fee included [asset].
        fee: network fee [asset]; ``None``: not known yet, arrival will tell.
    """
    lines = [source.line(asset, -amount), Line(Book.IN_TRANSIT, asset, amount - (fee or ZERO))]
    if fee:
        lines.append(Line(Book.NETWORK_FEES, asset, fee))
    return tuple(lines)


def arrival_lines(
    *,
    destination: Purse,
    asset: str,
    in_transit: Amount,
    arrived: Amount,
    fee: Amount | None = None,
) -> tuple[Line, ...]:
    """Return the lines of funds that reached a venue.

    What is missing is a network cost as far as the network took it, and a loss beyond that.

    Args:
        destination: the wallet that they reached.
        asset: code.
        in_transit: what was booked as on its way [asset].
        arrived: what the wallet gained [asset].
        fee: what the network took of what was on its way [asset]; ``None``: all that is missing.
    """
    lines = [Line(Book.IN_TRANSIT, asset, -in_transit), destination.line(asset, arrived)]
    missing = in_transit - arrived
    cost = missing if fee is None else fee
    if cost:
        lines.append(Line(Book.NETWORK_FEES, asset, cost))
    if missing != cost:
        lines.append(Line(Book.LOSSES, asset, missing - cost))
    return tuple(lines)


def wallet_move_lines(
    *, source: Purse, destination: Purse, asset: str, amount: Amount
) -> tuple[Line, ...]:
    """Return the lines of a move between two wallets of one account.

    Args:
        source: the wallet that loses.
        destination: the wallet that gains.
        asset: code.
        amount: [asset], positive.
    """
    return source.line(asset, -amount), destination.line(asset, amount)


def external_lines(*, purse: Purse, asset: str, amount: Amount) -> tuple[Line, ...]:
    """Return the lines of funds that came (positive) or went without the platform.

    Args:
        purse: the wallet.
        asset: code.
        amount: [asset].
    """
    return _exchange(purse, asset, amount, Book.EXTERNAL)


def reversal_lines(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return the lines that undo ``lines``."""
    return tuple(replace(line, amount=-line.amount) for line in lines)


def stored_cost(*, side: Side, price: Price, quantity: Quantity) -> Amount:
    """Return price x quantity, to the last decimal that can be stored.

    Longer products are rounded against us: up when we pay, down when we are paid.

    Args:
        side: ours.
        price: [quote per base].
        quantity: [base].

    Returns:
        The cost [quote].
    """
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return (price * quantity).quantize(SMALLEST_STORED, rounding=rounding)


def check_balanced(key: str, lines: Sequence[Line]) -> None:
    """Refuse lines that do not sum to zero in every asset, or that cannot be stored exactly.

    Args:
        key: of the entry, for the message.
        lines: all of its lines.

    Raises:
        Imbalanced: some asset does not sum to zero.
        Unbookable: some amount has more digits than a column.
    """
    totals: dict[str, Decimal] = {}
    for line in lines:
        check_storable(key, line.amount)
        totals[line.asset] = totals.get(line.asset, ZERO) + line.amount
    for asset, total in totals.items():
        if total:
            raise Imbalanced(key=key, asset=asset, total=total)


def check_storable(key: str, amount: Amount) -> None:
    """Refuse an amount that a database column would round.

    Args:
        key: of the entry, for the message.
        amount: [any unit].

    Raises:
        Unbookable: too many digits before or after the point.
    """
    if abs(amount) >= STORED_LIMIT or amount % SMALLEST_STORED:
        raise Unbookable(key=key, amount=amount)


def _exchange(purse: Purse, asset: str, amount: Amount, book: Book) -> tuple[Line, Line]:
    return purse.line(asset, amount), Line(book, asset, -amount, purse.account_id)
