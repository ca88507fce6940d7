"""The root of the error tree."""

from decimal import Decimal

import pytest

from arbplatform.core.errors import ArbError, Bug, InvalidInput, Message, NotFound


def test_a_message_fills_its_template():
    message = Message("{free} {asset} are free.", {"free": Decimal("1.5"), "asset": "BTC"})

    assert str(message) == "1.5 BTC are free."


def test_a_message_without_values_is_its_template_braces_included():
    assert str(Message("Use {placeholders}.")) == "Use {placeholders}."


def test_an_error_without_template_says_its_summary():
    error = NotFound()

    assert str(error) == NotFound.summary
    assert error.message == Message(NotFound.summary, {})


def test_an_error_keeps_template_and_values_apart_for_translation():
    error = ArbError("No {thing} here.", thing="cake")

    assert str(error) == "No cake here."
    assert error.message == Message("No {thing} here.", {"thing": "cake"})


def test_a_summary_may_have_placeholders():
    assert str(Bug(error_id="ab12")).count("ab12") == 1


def test_invalid_input_names_the_fields():
    complaint = Message("Too small.")

    error = InvalidInput(fields={"params.size": [complaint]})

    assert error.fields == {"params.size": [complaint]}
    assert str(error) == InvalidInput.summary


def test_invalid_input_without_fields_names_none():
    assert InvalidInput("No {x}.", x=1).fields == {}


def test_a_value_may_be_called_anything_that_a_placeholder_may():
    with pytest.raises(ArbError, match="self 1 template 2"):
        raise ArbError("self {self_} template {template_}", self_=1, template_=2)
