"""Compare an account with everything that its venue tells, again and again.

One round of one account at a time. It converges, or it stops and says so: what neither disappears
nor is explained in a bounded number of rounds raises an alarm and restricts the account to orders
that reduce exposure. No difference is ever booked because it is there.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_noop as _

from accounts.models import VenueAccount
from accounts.selectors import get_account_with_secrets
from accounts.services.accounts import open_gateway
from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from arbplatform.core.decimals import ZERO, Amount, to_plain
from arbplatform.core.errors import ArbError, Message
from arbplatform.persistence.sentences import keep_sentence
from ledger.domain.orders import PLANNED_MAX
from ledger.domain.reconciliation import (
    ACTIVE_STATES,
    OVERLAP,
    DiscrepancyKind,
    RunOutcome,
    Sighting,
    is_excused_by_motion,
)
from ledger.errors import BooksNotOpened, ReconciliationBusy
from ledger.models import AccountReconciliation, Discrepancy, ReconciliationRun
from ledger.selectors import find_entry, list_holdings
from ledger.selectors.reconciliation import (
    count_unsolved,
    list_fills_without_fee,
    list_markets_between,
    list_moving_assets,
    list_reconcilable_account_ids,
)
from ledger.selectors.traded import list_traded_markets, read_activity
from ledger.services.claims import restrict_broken_strategies
from ledger.services.discrepancies import OF_TRADES, alarm_due, keep_sightings
from ledger.services.fees import FEE_FRACTION_MAX
from ledger.services.fill_comparison import compare_fills
from ledger.services.kept_histories import KEPT
from ledger.services.movements import (
    Candidate,
    book_proven,
    find_funds_moved,
    list_purses_on_their_way,
)
from ledger.services.openings import opening_key
from ledger.services.order_comparison import UNLISTED, compare_orders
from ledger.services.reconciliation import Comparison, Difference, compare_balances
from ledger.services.round_memory import recall, remember
from ledger.services.venue_reads import Failed, Round
from markets.domain.funds import Wallet
from markets.gateway.limiter import in_background

logger = logging.getLogger(__name__)

LEASE_READS = 2
LEASE_MARGIN = timedelta(seconds=15)
"""A round that asked nothing for the time of so many reads and this much more has lost its process.

It must not take long: nothing trades on an account between the start of a worker and a comparison.
"""

_TOOK_TOO_LONG = Message("The comparison took too long: another one has begun.")

LOOK_BACK_MAX = timedelta(days=7)
"""No history is read from further back."""

SWEEP_TIME_MAX_MS = 40_000
"""A sweep begins no further account after so long [ms]; the next one begins with it."""

_DIFFERS = _(
    "The books say that the {wallet} wallet holds {booked} {asset}; the venue states {stated}, "
    "a difference of {gap}. Nothing was booked."
)
_MOVING = _(
    "The books say {booked} {asset} ({wallet}), the venue {stated}: an order or a transfer that "
    "moves it has not ended."
)
_FEE_PENDING = _(
    "The books say {booked} {asset} ({wallet}), the venue {stated}: the venue has not stated the "
    "fee of {count} trades yet."
)


@dataclass(slots=True)
class _Claim:
    """The right to compare an account, until it runs out."""

    account: VenueAccount
    token: str
    row: AccountReconciliation
    clock: Clock

    def extend(self) -> None:
        """Make it hold for one more read; one that was lost stays lost."""
        mine = AccountReconciliation.objects.filter(pk=self.row.pk, token=self.token)
        mine.update(lease_until=self.clock.now() + lease())


def reconcile_account(
    *, account_id: int, asks_all: bool = False, clock: Clock = SYSTEM_CLOCK
) -> ReconciliationRun:
    """Compare one account with everything that its venue tells, once.

    Args:
        account_id: venue account with opened books.
        asks_all: a person wants to know: also orders that the venue has denied so often that they
            rest are asked for.
        clock: tells the time.

    Returns:
        What it came to; CLEAN is: everything was told and nothing is left unexplained.

    Raises:
        AccountNotFound: no account has this id.
        AccountDisabled: the account is switched off.
        BooksNotOpened: its books were not opened yet: there is nothing to compare with.
        ReconciliationBusy: it is being compared at this moment.
    """
    account = get_account_with_secrets(account_id)
    gateway = open_gateway(account)
    opening = find_entry(opening_key(account_id))
    if opening is None:
        raise BooksNotOpened(account=str(account))
    claim = _claim(account, clock)
    now = clock.now()
    round_ = Round(
        account=account,
        gateway=gateway,
        clock=clock,
        started_at=now,
        opened_at=opening.occurred_at,
        since=_since(claim.row.read_until, opening.occurred_at, account_id, now),
        gaps_since=_since(claim.row.last_clean_at, opening.occurred_at, account_id, now),
        **recall(claim.row),
        asks_all=asks_all,
        before_read=claim.extend,
        histories=KEPT.take(account_id),
    )
    try:
        with in_background():
            _compare_all(round_)
    except BaseException as error:
        round_.break_off(error)
        raise
    finally:
        if round_.failures or round_.is_cut_short:
            KEPT.keep(account_id, round_.histories)
        run = _finish(round_, claim)
    alarm_due(account=account, clock=clock)
    return run


def reconcile_accounts(*, clock: Clock = SYSTEM_CLOCK) -> int:
    """Compare every account that may be, the one compared longest ago first; return how many.

    One account's failure does not stop the others; what no time was left for begins the next sweep.
    """
    started_ms, count = clock.monotonic_ms(), 0
    for account_id in list_reconcilable_account_ids():
        if clock.monotonic_ms() - started_ms > SWEEP_TIME_MAX_MS:
            break
        try:
            reconcile_account(account_id=account_id, clock=clock)
            count += 1
        except ReconciliationBusy:
            continue
        except ArbError as error:
            logger.warning("Account %s was not reconciled: %s", account_id, error)
        except Exception:
            # one account that cannot be compared must not keep the others from being compared
            logger.exception("Account %s was not reconciled", account_id)
    return count


def _compare_all(round_: Round) -> None:
    round_.activity = read_activity(
        round_.account.pk,
        round_.activity,
        now=round_.started_at,
        horizon=round_.started_at - LOOK_BACK_MAX,
    )
    markets = list_traded_markets(round_.activity, round_.since)
    candidates = compare_fills(round_, markets, since=round_.since)
    compare_orders(round_, markets)
    read = round_.read(lambda: compare_balances(round_.account))
    if isinstance(read, Failed):
        return
    comparison = read.value
    if comparison.differences:
        assets = {row.asset for row in comparison.differences}
        others = [
            market
            for market in list_markets_between(round_.account, assets)
            if round_.gaps_since < round_.since or market not in markets
        ]
        candidates += compare_fills(round_, others, since=min(round_.gaps_since, round_.since))
        candidates += find_funds_moved(round_, comparison)
    booked = book_proven(round_, comparison, candidates) if comparison.is_settled else []
    round_.sightings[:0] = booked  # the first word about a thing counts
    if booked:
        restrict_broken_strategies(account=round_.account, clock=round_.clock)
    _see_balances(round_, comparison, candidates)


def _see_balances(round_: Round, comparison: Comparison, candidates: Sequence[Candidate]) -> None:
    """Note what differs still, by the books as they are now."""
    for wallet in comparison.wallets:
        round_.cover(DiscrepancyKind.BALANCE, f"{wallet}|")
    if not comparison.differences:
        return
    booked = {(row.wallet, row.asset): row.amount for row in list_holdings(round_.account.pk)}
    moving = list_moving_assets(round_.account.pk)
    known = {
        row.subject: row.first_seen_at
        for row in Discrepancy.objects.filter(
            account_id=round_.account.pk,
            kind=DiscrepancyKind.BALANCE,
            state__in=ACTIVE_STATES,
        )
    }
    left = [
        Difference(row.wallet, row.asset, booked.get((row.wallet, row.asset), ZERO), row.stated)
        for row in comparison.differences
    ]
    gaps = {(row.wallet, row.asset): row.gap for row in left if row.gap}
    ours = list_purses_on_their_way(gaps, candidates) if comparison.is_settled else frozenset()
    for before, row in zip(comparison.differences, left, strict=True):
        if row.gap:
            first_seen_at = known.get(_subject(row))
            is_excused = is_excused_by_motion(first_seen_at=first_seen_at, now=round_.started_at)
            is_moving = row.asset in moving or row.booked != before.booked
            is_ours = (row.wallet, row.asset) in ours
            _see_balance(round_, row, is_moving=is_moving, is_excused=is_excused, is_ours=is_ours)


def _see_balance(
    round_: Round, left: Difference, *, is_moving: bool, is_excused: bool, is_ours: bool
) -> None:
    """Note one difference; one that is exactly a transfer of ours leaves nothing to be known."""
    context: dict[str, object] = {
        "wallet": left.wallet.value,
        "asset": left.asset,
        "booked": to_plain(left.booked),
        "stated": to_plain(left.stated),
        "gap": to_plain(left.gap),
    }
    what, is_explained = Message(_DIFFERS, context), False
    if is_excused and is_ours:
        what, is_explained = Message(_MOVING, context), True
    elif is_excused and (is_moving or round_.is_moving):
        what, is_explained = Message(_MOVING, context), True
        round_.is_moving = True
    elif is_excused and (count := _count_fees_pending(round_, left)):
        what, is_explained = Message(_FEE_PENDING, {**context, "count": count}), True
        round_.is_moving = True
    round_.sightings.append(
        Sighting(
            DiscrepancyKind.BALANCE,
            _subject(left),
            what,
            asset=left.asset,
            wallet=left.wallet,
            booked=left.booked,
            stated=left.stated,
            is_explained=is_explained,
        )
    )


def _count_fees_pending(round_: Round, left: Difference) -> int:
    """Return how many trades without a stated fee may be the cause; none if that is too little."""
    if left.gap >= ZERO or left.wallet is not Wallet.SPOT:
        return 0
    count, room = 0, ZERO
    for fill in list_fills_without_fee(round_.account.pk, round_.gaps_since):
        traded: dict[str, Amount] = {
            fill.market.base.code: fill.quantity,
            fill.market.quote.code: fill.cost,
        }
        if left.asset in traded:
            count, room = count + 1, room + traded[left.asset] * FEE_FRACTION_MAX
    return count if -left.gap <= room else 0


def _subject(row: Difference) -> str:
    return f"{row.wallet}|{row.asset}"


def _since(until: datetime | None, opened_at: datetime, account_id: int, now: datetime) -> datetime:
    """Return from when on histories are read: what they may still solve stays in sight.

    That is no open order of somebody else, no order of ours that no list shows any more, and
    nothing that a person has acknowledged: each may stay for weeks, and a busy account has done
    much since then. A clock that was ahead when they were read last tells nothing of up to when.
    """
    if until is not None and until > now + OVERLAP:
        until = now - LOOK_BACK_MAX
    seen = _held_in_sight(account_id).order_by("first_seen_at")
    oldest = seen.values_list("first_seen_at", flat=True).first()
    moments = [until or opened_at, *([oldest - OVERLAP] if oldest else [])]
    return max(min(moments) - OVERLAP, now - LOOK_BACK_MAX)


def _held_in_sight(account_id: int) -> QuerySet[Discrepancy]:
    rows = Discrepancy.objects.filter(account_id=account_id, state__in=ACTIVE_STATES)
    rows = rows.filter(acknowledged_at=None).exclude(kind=DiscrepancyKind.FOREIGN_ORDER)
    return rows.exclude(kind=DiscrepancyKind.ORDER_STATE, evidence__has_key=UNLISTED)


def lease() -> timedelta:
    """Return how long after its last read a round is taken to be alive."""
    return LEASE_MARGIN + LEASE_READS * timedelta(milliseconds=settings.VENUE_TIMEOUT_MS)


def _claim(account: VenueAccount, clock: Clock) -> _Claim:
    """Win the right to compare an account by one conditional UPDATE.

    A right that runs longer than any is that of a process whose clock was ahead, and which died.
    """
    now, token = clock.now(), secrets.token_hex(16)
    row, _is_new = AccountReconciliation.objects.get_or_create(account_id=account.pk)
    is_free = Q(lease_until=None) | Q(lease_until__lte=now) | Q(lease_until__gt=now + PLANNED_MAX)
    rows = AccountReconciliation.objects.filter(is_free, pk=row.pk)
    begun = rows.update(
        token=token,
        lease_until=now + lease(),
        last_run_at=now,
        round_count=F("round_count") + 1,
    )
    if not begun:
        raise ReconciliationBusy(account=str(account))
    row.refresh_from_db()
    return _Claim(account, token, row, clock)


@transaction.atomic
def _finish(round_: Round, claim: _Claim) -> ReconciliationRun:
    """Write down what was seen, unless the round took so long that another one has begun."""
    row = AccountReconciliation.objects.select_for_update().get(pk=claim.row.pk)
    error = round_.failures[0] if round_.failures else None
    run = ReconciliationRun(
        account_id=claim.account.pk,
        started_at=round_.started_at,
        finished_at=round_.clock.now(),
        outcome=RunOutcome.FAILED,
        error_code=error.code if error else None,
        error=keep_sentence(error.message) if error else "",
    )
    if row.token != claim.token:
        run.error = keep_sentence(_TOOK_TOO_LONG)
        run.save()
        return run
    keep_sightings(
        account=claim.account,
        sightings=round_.sightings,
        covered=round_.covered,
        is_complete=error is None and not round_.is_cut_short,
        since=round_.since,
        now=round_.started_at,
    )
    run.booked_count = sum(sighting.entry_id is not None for sighting in round_.sightings)
    run.unsolved_count = count_unsolved(claim.account.pk)
    run.outcome = _outcome(round_, run)
    run.save()
    row.token, row.lease_until = "", None
    row.failure_count = 0 if error is None else row.failure_count + 1
    # a trade may be older than its first sight: what showed it is read on as far back
    is_held = _held_in_sight(claim.account.pk).filter(kind__in=OF_TRADES).exists()
    if error is None and not round_.is_cut_short and not is_held:
        row.read_until = round_.started_at
    is_clean = run.outcome == RunOutcome.CLEAN
    remember(round_, row, is_clean=is_clean)
    if is_clean:
        row.last_clean_at, row.clean_round = round_.started_at, row.round_count
    row.save()
    return run


def _outcome(round_: Round, run: ReconciliationRun) -> RunOutcome:
    if round_.failures:
        return RunOutcome.FAILED
    if run.unsolved_count or round_.is_moving or round_.is_cut_short:
        return RunOutcome.DIFFERENT
    return RunOutcome.CLEAN
