"""A document is kept as text, comes back as it was, and is looked at only as a whole."""

import pytest
from django.core.exceptions import FieldError
from django.db import connection
from django.db.models import F

from arbplatform.persistence.fields import DocumentField
from strategies.models import Opportunity

pytestmark = pytest.mark.django_db

COLUMN = F("evidence").resolve_expression(Opportunity.objects.all().query)

DOCUMENTS = [
    {},
    {"books": [["50000.10", "0.001"]], "name": 'Zoë\'s \\ "coin" %s', "sequence": 2**63},
    {"nothing": None, "on": True, "list": [1, "1", []]},
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_comes_back_as_it_was(document):
    field = DocumentField()
    with connection.cursor() as cursor:
        stored = field.get_db_prep_value(document, connection)
        cursor.execute("SELECT CAST(%s AS text)", [stored])
        (text,) = cursor.fetchone()

    assert field.from_db_value(text, COLUMN, connection) == document


def test_nothing_stays_nothing():
    assert DocumentField().get_db_prep_value(None, connection) is None
    assert DocumentField().from_db_value(None, COLUMN, connection) is None


def test_a_document_is_not_searched():
    with pytest.raises(FieldError, match="Unsupported lookup 'version'"):
        Opportunity.objects.filter(evidence__version=1).exists()
