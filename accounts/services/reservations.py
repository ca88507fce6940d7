"""Set funds aside, so that no two orders or transfers spend the same.

The database keeps the totals and refuses to reserve what is not there
(``ledger/migrations/0005_reservations``); this module writes the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from accounts.models import Reservation, ReservationPurpose
from arbplatform.core.decimals import Amount
from markets.domain.funds import Wallet


@dataclass(frozen=True, slots=True)
class Want:
    """Funds that an order or a transfer may spend.

    Attributes:
        purpose: which of the two.
        owner_id: of the order or transfer.
        account_id: venue account that spends.
        wallet: purse inside the account.
        asset_id: of the asset.
        amount: positive [units of the asset].
    """

    purpose: ReservationPurpose
    owner_id: int
    account_id: int
    wallet: Wallet
    asset_id: int
    amount: Amount

    @property
    def purse(self) -> str:
        """What the database knows the total of the purse by.

        Rows are written in the order of these: their totals are locked in it, by everybody.
        """
        return f"{self.account_id}:{self.wallet.value}:{self.asset_id}"


def reserve(wants: Sequence[Want], *, is_forced: bool = False) -> None:
    """Reserve funds, all or none, in the transaction of the caller.

    Args:
        wants: what for; none of them has a reservation yet.
        is_forced: whether they stand for what happened already: then nothing is refused.

    Raises:
        IntegrityError: less is free than is wanted, or something is reserved already.
    """
    Reservation.objects.bulk_create(
        Reservation(
            purpose=want.purpose,
            owner_id=want.owner_id,
            account_id=want.account_id,
            wallet=want.wallet,
            asset_id=want.asset_id,
            amount=want.amount,
            is_forced=is_forced,
        )
        for want in sorted(wants, key=attrgetter("purse"))
    )


def release(purpose: ReservationPurpose, owner_ids: Sequence[int]) -> None:
    """Give back what is still reserved for some orders or transfers; again changes nothing."""
    Reservation.objects.filter(purpose=purpose, owner_id__in=owner_ids).delete()
