"""Every query about accounts, balances and transfers."""

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import F, Model, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce

from accounts.domain.addresses import AddressState
from accounts.domain.rules import RuleKind
from accounts.domain.transfers import LIVE_STATES, PLANNED_MAX, SENT_STATES, TransferState
from accounts.errors import AccountNotFound, AddressNotFound, TransferNotFound
from accounts.models import (
    AddressEntry,
    Balance,
    ReservedTotal,
    RuleChange,
    Transfer,
    TransferLimit,
    VenueAccount,
    VenueNetwork,
)
from arbplatform.core.decimals import ZERO
from arbplatform.persistence.fields import AmountField, SecretUnreadable
from markets.domain.funds import Wallet
from markets.errors import VenueAuthFailed

_PurseT = TypeVar("_PurseT", bound=Model)

SECRET_FIELDS = ("api_key", "api_secret", "passphrase")

_IS_ALARMING = Q(state=TransferState.DISPUTED) | Q(state__in=SENT_STATES, alarmed_at__isnull=False)


def list_accounts() -> QuerySet[VenueAccount]:
    """Return all accounts with their venues.

    Secrets are read and decrypted only when something asks a row for them.
    """
    return VenueAccount.objects.select_related("venue").defer(*SECRET_FIELDS)


def get_account(account_id: int) -> VenueAccount:
    """Return an account with its venue.

    Raises:
        AccountNotFound: no account has this id.
    """
    return _one_account(list_accounts(), account_id)


def get_account_with_secrets(account_id: int) -> VenueAccount:
    """Return an account with its venue, its secrets decrypted.

    Raises:
        AccountNotFound: no account has this id.
        SecretUnreadable: the configured keys do not open its secrets.
    """
    return _one_account(VenueAccount.objects.select_related("venue"), account_id)


def list_accounts_with_secrets(account_ids: Collection[int]) -> list[VenueAccount]:
    """Return accounts with their venues, ready to open gateways.

    Raises:
        SecretUnreadable: the configured keys do not open the secrets of one.
    """
    return list(VenueAccount.objects.select_related("venue").filter(pk__in=account_ids))


def lock_account(account_id: int) -> VenueAccount:
    """Return an account, locked until the transaction ends.

    Rows that refer to it can be written meanwhile: no order waits for this.

    Raises:
        AccountNotFound: no account has this id.
    """
    rows = list_accounts().select_for_update(of=("self",), no_key=True)
    return _one_account(rows, account_id)


def read_sealed_secrets(account_id: int) -> list[str]:
    """Return the secrets of an account as they are stored: encrypted, and anew with each change."""
    sealed = [Cast(name, TextField()) for name in SECRET_FIELDS]
    row = VenueAccount.objects.filter(pk=account_id).values_list(*sealed).first()
    return list(row or ())


def _one_account(rows: QuerySet[VenueAccount], account_id: int) -> VenueAccount:
    account = rows.filter(pk=account_id).first()
    if account is None:
        raise AccountNotFound(id=account_id)
    return account


def list_readings() -> dict[int, tuple[datetime | None, datetime | None]]:
    """Return when the clock of each used account's venue and its balances were last read, by id."""
    rows = VenueAccount.objects.filter(is_enabled=True, venue__is_enabled=True)
    return {
        pk: (measured_at, synced_at)
        for pk, measured_at, synced_at in rows.values_list(
            "pk", "venue__clock_measured_at", "synced_at"
        )
    }


def list_refused_account_ids() -> list[int]:
    """Return the accounts whose key their venue does not accept."""
    refused = Q(test_error_code=VenueAuthFailed.code) | Q(sync_error_code=VenueAuthFailed.code)
    return list(VenueAccount.objects.filter(refused).values_list("pk", flat=True))


def list_syncable_account_ids() -> list[int]:
    """Return the accounts whose balances may be read without being asked by a person.

    An account whose key the venue refused is left alone, as repeating that gets an address banned;
    a test of the connection or a new key ends it.
    """
    return list(
        VenueAccount.objects.filter(is_enabled=True, venue__is_enabled=True)
        .exclude(sync_error_code=VenueAuthFailed.code)
        .exclude(test_error_code=VenueAuthFailed.code)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def count_unreadable_accounts(*, using: str) -> int:
    """Return how many accounts have secrets that the configured keys do not open.

    Args:
        using: alias of the database.
    """
    rows = VenueAccount.objects.using(using).only(*SECRET_FIELDS).order_by("pk")
    return sum(not _is_readable(rows, pk) for pk in rows.values_list("pk", flat=True))


def _is_readable(rows: QuerySet[VenueAccount], pk: int) -> bool:
    try:
        rows.get(pk=pk)
    except SecretUnreadable:
        return False
    return True


def list_account_users(account: VenueAccount) -> list[tuple[str, int]]:
    """Return what depends on an account: names of kinds of rows, and how many there are.

    The models of upper apps are found by their relations, so this app need not know them.
    """
    users: dict[str, int] = {}
    relations: list[Any] = VenueAccount._meta.get_fields(include_hidden=True)
    for relation in relations:
        if not _is_use(relation):
            continue
        model: Any = relation.related_model
        count = model.objects.filter(**{relation.field.name: account}).count()
        if count:
            name = str(model._meta.verbose_name_plural)
            users[name] = users.get(name, 0) + count
    return sorted(users.items())


def _is_use(relation: Any) -> bool:
    """Return whether a field of the account is other rows that are more than a part of it."""
    if relation.concrete or not relation.auto_created:
        return False
    model = relation.related_model
    is_through_table = bool(model._meta.auto_created)
    return model is not Balance and not is_through_table


def list_balances(account_id: int | None = None) -> QuerySet[Balance]:
    """Return what the venues last stated, of one account or of all, and what is ``reserved``."""
    rows = Balance.objects.select_related("account__venue", "asset").defer(
        *(f"account__{name}" for name in SECRET_FIELDS)
    )
    rows = with_reserved(rows)
    return rows if account_id is None else rows.filter(account_id=account_id)


def with_reserved(rows: QuerySet[_PurseT]) -> QuerySet[_PurseT]:
    """Add to rows of wallets and assets what orders and transfers under way may spend of them."""
    totals = ReservedTotal.objects.filter(
        account_id=OuterRef("account_id"), wallet=OuterRef("wallet"), asset_id=OuterRef("asset_id")
    )
    none = Value(ZERO, output_field=AmountField())
    added: Any = rows.annotate(reserved=Coalesce(Subquery(totals.values("total")[:1]), none))
    return added  # type: ignore[no-any-return]  # the stubs lose the model on the way


def free_balances(account_ids: Iterable[int]) -> dict[tuple[str, str], Decimal]:
    """Return what is free in the spot wallets by (venue code, asset) [units of asset].

    Accounts at the same venue are added up. As old as the last synchronisation.
    """
    totals: dict[tuple[str, str], Decimal] = {}
    rows = Balance.objects.filter(account_id__in=list(account_ids), wallet=Wallet.SPOT)
    for venue, asset, free in rows.values_list("account__venue__code", "asset__code", "free"):
        totals[venue, asset] = totals.get((venue, asset), ZERO) + free
    return totals


def reserved_total(account_id: int, wallet: Wallet, asset_id: int) -> Decimal:
    """Return what orders and transfers under way may spend from one wallet [units of asset]."""
    rows = ReservedTotal.objects.filter(account_id=account_id, wallet=wallet, asset_id=asset_id)
    return rows.values_list("total", flat=True).first() or ZERO


def reserved_amounts() -> dict[tuple[int, str, int], Decimal]:
    """Return what is reserved, by account id, wallet and asset id, where anything is."""
    rows = ReservedTotal.objects.values_list("account_id", "wallet", "asset_id", "total")
    return {(account, wallet, asset): total for account, wallet, asset, total in rows if total}


def list_transfers() -> QuerySet[Transfer]:
    """Return all transfers, the newest first, with accounts, asset and who asked."""
    return Transfer.objects.select_related(
        "from_account__venue",
        "to_account__venue",
        "asset",
        "requested_by",
        "approved_by",
        "test_transfer",
    ).defer(
        *(f"{side}__{name}" for side in ("from_account", "to_account") for name in SECRET_FIELDS)
    )


def get_transfer(transfer_id: int) -> Transfer:
    """Return a transfer with its accounts and asset.

    Raises:
        TransferNotFound: no transfer has this id.
    """
    transfer = list_transfers().filter(pk=transfer_id).first()
    if transfer is None:
        raise TransferNotFound(id=transfer_id)
    return transfer


def find_transfer(idempotency_key: str) -> Transfer | None:
    """Return the transfer that was requested under a key, if there is one."""
    return list_transfers().filter(idempotency_key=idempotency_key).first()


def lock_transfer(transfer_id: int) -> Transfer:
    """Return a transfer, locked until the transaction ends.

    Raises:
        TransferNotFound: no transfer has this id.
    """
    transfer = list_transfers().select_for_update(of=("self",)).filter(pk=transfer_id).first()
    if transfer is None:
        raise TransferNotFound(id=transfer_id)
    return transfer


def list_sent_transfers(*, limit: int) -> list[Transfer]:
    """Return transfers that are under way and without an alarm, the oldest first."""
    rows = list_transfers().filter(state__in=SENT_STATES, alarmed_at=None)
    return list(rows.order_by("submitted_at", "pk")[:limit])


def count_alarms() -> int:
    """Return what about transfers needs a person: overdue, disputed, or an address that changed."""
    return Transfer.objects.filter(_IS_ALARMING).count() + count_suspended_addresses()


def list_alarming_transfers(*, limit: int) -> list[Transfer]:
    """Return transfers that are overdue or disputed, the oldest first."""
    return list(list_transfers().filter(_IS_ALARMING).order_by("pk")[:limit])


def list_requested_values(since: datetime, *, account_id: int | None = None) -> list[Any]:
    """Return what each transfer between accounts was worth that was not refused or cancelled.

    Args:
        since: requested then or later.
        account_id: sends; ``None``: any account.
    """
    rows = Transfer.objects.filter(created_at__gte=since).exclude(state=TransferState.FAILED)
    rows = rows.exclude(from_account=F("to_account"))
    rows = rows if account_id is None else rows.filter(from_account_id=account_id)
    return list(rows.values_list("value", flat=True))


def list_limits() -> QuerySet[TransferLimit]:
    """Return the limits that are set: for all accounts, and for single ones."""
    return TransferLimit.objects.select_related("account__venue").defer(
        *(f"account__{name}" for name in SECRET_FIELDS)
    )


def list_due_transfer_ids(*, now: datetime, limit: int) -> list[int]:
    """Return the live transfers that should be looked at now, the longest due first.

    Of what was sent also those that a clock which was ahead has put off, see ``is_due``.
    """
    is_due = Q(state__in=LIVE_STATES, next_lookup_at__lte=now)
    is_put_off = Q(state__in=SENT_STATES, next_lookup_at__gt=now + PLANNED_MAX)
    return list(
        Transfer.objects.filter(is_due | is_put_off)
        .order_by("next_lookup_at", "pk")
        .values_list("pk", flat=True)[:limit]
    )


def list_claimed_venue_ids(transfer: Transfer) -> tuple[Collection[str], Collection[str]]:
    """Return which of the venues' records belong to other transfers of the same asset.

    Returns:
        Ids of withdrawals from the source account, and of deposits at the destination account.
    """
    others = Transfer.objects.filter(asset_id=transfer.asset_id).exclude(pk=transfer.pk)
    sent = others.filter(from_account_id=transfer.from_account_id).exclude(venue_transfer_id="")
    received = others.filter(to_account_id=transfer.to_account_id).exclude(venue_deposit_id="")
    return (
        set(sent.values_list("venue_transfer_id", flat=True)),
        set(received.values_list("venue_deposit_id", flat=True)),
    )


def list_addresses() -> QuerySet[AddressEntry]:
    """Return the address book, the newest entry first."""
    return AddressEntry.objects.select_related(
        "account__venue", "asset", "proposed_by", "approved_by"
    ).defer(*(f"account__{name}" for name in SECRET_FIELDS))


def get_address(entry_id: int) -> AddressEntry:
    """Return an entry of the address book.

    Raises:
        AddressNotFound: none has this id.
    """
    return _one_address(list_addresses(), entry_id)


def lock_address(entry_id: int) -> AddressEntry:
    """Return an entry of the address book, locked until the transaction ends.

    Raises:
        AddressNotFound: none has this id.
    """
    return _one_address(list_addresses().select_for_update(of=("self",)), entry_id)


def _one_address(rows: QuerySet[AddressEntry], entry_id: int) -> AddressEntry:
    entry = rows.filter(pk=entry_id).first()
    if entry is None:
        raise AddressNotFound(id=entry_id)
    return entry


def find_address(*, account_id: int, asset: str, network: str) -> AddressEntry | None:
    """Return the entry that holds for an account, asset and network: the newest one.

    A revoked one is returned too: it says that somebody did not want it.
    """
    rows = list_addresses().filter(account_id=account_id, asset__code=asset, network=network)
    return rows.order_by("-pk").first()


def count_suspended_addresses() -> int:
    """Return how many entries were suspended, because a venue stated another address."""
    return AddressEntry.objects.filter(state=AddressState.SUSPENDED).count()


def map_network_names(venue_id: int) -> dict[str, str]:
    """Return what a venue calls our networks, as far as people have confirmed it."""
    rows = VenueNetwork.objects.filter(venue_id=venue_id)
    return dict(rows.values_list("network", "venue_name"))


def list_networks() -> QuerySet[VenueNetwork]:
    """Return what people have confirmed about the names of networks."""
    return VenueNetwork.objects.select_related("venue", "confirmed_by")


def list_rule_changes(*, kind: RuleKind, target_id: int | None) -> QuerySet[RuleChange]:
    """Return who changed what of one rule, or of those for all, the oldest change first."""
    return RuleChange.objects.filter(kind=kind, target_id=target_id).order_by("pk")
