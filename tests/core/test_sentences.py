"""Sentences survive being kept as JSON."""

import json
from decimal import Decimal

import pytest

from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json, message_to_json
from arbplatform.persistence.fields import to_document


def test_a_sentence_comes_back_with_the_sentences_in_it():
    message = Message(
        "{who}: {what}",
        {"who": "cross", "what": Message("{count} of {all}", {"count": 3, "all": Decimal("1E+2")})},
    )

    kept = json.loads(json.dumps(message_to_json(message)))

    assert str(message_from_json(kept)) == "cross: 3 of 100"


def test_what_no_database_takes_is_left_out():
    kept = message_to_json(Message("a\x00b {text}", {"text": "c\nd", "none": None}))

    assert kept == {"template": "a b {text}", "context": {"text": "c d", "none": None}}


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63) + 1])
def test_a_number_stays_one_as_far_as_documents_go(number):
    assert message_to_json(Message("{number}", {"number": number}))["context"] == {"number": number}


@pytest.mark.parametrize("number", [2**64, -(2**64), 10**30])
def test_a_number_that_is_too_long_for_a_document_is_kept_as_text(number):
    kept = message_to_json(Message("{number}", {"number": number}))

    assert kept["context"] == {"number": str(number)}
    assert str(message_from_json(json.loads(to_document(kept)))) == str(number)


def test_a_sentence_without_anything_is_empty():
    assert message_from_json({}) == Message("")
