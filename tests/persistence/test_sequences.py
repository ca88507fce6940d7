"""Ids are known before their rows are written, and no id is given out twice."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from arbplatform.persistence.sequences import BLOCK, COUNT_MAX, next_ids, skip_ids, stock_ids
from markets.models import Asset


def add(count):
    with transaction.atomic():
        ids = next_ids(Asset, count)
        for pk in ids:
            Asset(pk=pk, code=f"A{pk}").save(force_insert=True)
        return ids


@pytest.mark.django_db
def test_ids_fit_between_those_that_the_database_gives():
    first = Asset.objects.create(code="BTC").pk
    ids = add(3)
    last = Asset.objects.create(code="ETH").pk

    assert len({first, *ids, last}) == 5


@pytest.mark.django_db
def test_ids_follow_when_more_are_asked_for_than_are_at_hand():
    ids = [pk for count in (1, BLOCK, BLOCK - 1, 2) for pk in add(count)]

    assert len(set(ids)) == len(ids) == 2 * BLOCK + 2


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, COUNT_MAX + 1])
def test_none_or_too_many_at_once_are_refused(count):
    with pytest.raises(ValueError, match=str(count)):
        next_ids(Asset, count)


@pytest.mark.django_db
@pytest.mark.parametrize("there", [0, 2])
def test_skipped_ids_are_given_to_nobody(there):
    before = max([0, *(Asset.objects.create(code=f"B{n}").pk for n in range(there))])

    skip_ids(Asset, 1_000)

    assert Asset.objects.create(code="BTC").pk > before + 1_000


@pytest.mark.django_db(transaction=True)
def test_threads_never_share_an_id():
    def work(_number):
        with closing(connection):
            return [pk for _ in range(10) for pk in add(3)]

    with ThreadPoolExecutor(4) as workers:
        ids = [pk for part in workers.map(work, range(4)) for pk in part]

    assert len(set(ids)) == len(ids) == Asset.objects.count() == 120


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: sequences")
def test_ids_at_hand_cost_no_statement():
    stock_ids(Asset, 5)

    with CaptureQueriesContext(connection) as queries:
        ids = next_ids(Asset, 5)

    assert len(ids) == 5
    assert len(queries) == 0
