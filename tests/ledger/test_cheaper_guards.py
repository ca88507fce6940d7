"""What has no foreign key of its own any more is kept by the total that it belongs to."""

from decimal import Decimal as D

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import Reservation, VenueAccount
from ledger.models import Entry, Posting
from markets.models import Asset

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps its foreign keys"),
    pytest.mark.django_db(transaction=True),
]
NOBODY = 999_999


def post(account_id, asset_id):
    with transaction.atomic():
        entry = Entry.objects.create(key="x", kind="external", occurred_at=timezone.now())
        Posting.objects.bulk_create(
            Posting(
                entry=entry,
                book=book,
                account_id=account_id,
                wallet="spot" if book == "wallet" else "",
                asset_id=asset_id,
                amount=D(amount),
            )
            for book, amount in (("wallet", 1), ("external", -1))
        )


def reserve(account_id, asset_id):
    Reservation.objects.create(
        purpose="order",
        owner_id=1,
        account_id=account_id,
        wallet="spot",
        asset_id=asset_id,
        amount=D(1),
    )


@pytest.mark.parametrize("write", [post, reserve])
def test_nothing_is_written_for_an_account_or_an_asset_that_is_not_there(account, write):
    asset_id = Asset.objects.get(code="BTC").pk

    for account_id, other_id in ((NOBODY, asset_id), (account.pk, NOBODY)):
        with pytest.raises(IntegrityError, match="foreign key"):
            write(account_id, other_id)

    assert (Entry.objects.count(), Posting.objects.count(), Reservation.objects.count()) == (
        0,
        0,
        0,
    )


@pytest.mark.parametrize("write", [post, reserve])
def test_an_account_is_not_deleted_under_what_was_written_for_it(account, write):
    write(account.pk, Asset.objects.get(code="BTC").pk)

    with pytest.raises(IntegrityError, match="foreign key"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_venueaccount WHERE id = %s", [account.pk])

    assert VenueAccount.objects.filter(pk=account.pk).exists()
