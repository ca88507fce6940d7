"""A table with one column of every kind that the platform brings along."""

import pytest
from django.db import connection, models

from arbplatform.persistence.fields import AmountField, EncryptedTextField


class Sample(models.Model):  # noqa: DJ008  nobody reads its name
    amount = AmountField(null=True)
    secret = EncryptedTextField(null=True)

    class Meta:
        app_label = "persistence_tests"
        db_table = "persistence_sample"


@pytest.fixture
def sample(db):
    """The model ``Sample`` with an empty table."""
    serial = "integer PRIMARY KEY" if connection.vendor == "sqlite" else "bigserial PRIMARY KEY"
    amount = Sample._meta.get_field("amount").db_type(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE persistence_sample (id {serial}, amount {amount}, secret text)"
        )
    return Sample
