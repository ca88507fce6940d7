"""Sentences survive being kept as JSON."""

import json
from decimal import Decimal

from arbplatform.core.errors import Message
from arbplatform.core.sentences import message_from_json, message_to_json


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


def test_a_sentence_without_anything_is_empty():
    assert message_from_json({}) == Message("")
