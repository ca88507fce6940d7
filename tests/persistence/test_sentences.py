"""Sentences in columns of text: every reader's language, old texts as they were, no secrets."""

from decimal import Decimal as D

import pytest
from django.utils import translation

from accounts.errors import AccountKeyRefused
from arbplatform.core.errors import Message
from arbplatform.core.masking import redact
from arbplatform.management.error_codes import all_errors
from arbplatform.persistence.sentences import (
    as_typed,
    keep_reason,
    keep_sentence,
    keep_words,
    read_reason,
    read_sentence,
)
from arbplatform.wording import render
from markets.errors import VenueUnavailable


def test_a_sentence_is_rendered_in_the_language_of_its_reader():
    cause = Message("no answer within the time limit")
    text = keep_sentence(VenueUnavailable(venue="alpha", cause=cause).message)

    with translation.override("zh-hans"):
        assert (
            render(read_sentence(text))
            == "无法连接交易所 alpha：未在时限内应答。未做任何更改，请稍后再试。"
        )
    assert render(read_sentence(text)) == (
        "The venue alpha cannot be reached: no answer within the time limit. "
        "Nothing was changed; try again later."
    )


def test_what_a_venue_said_stays_as_it_said_it():
    said = "Filter failure: {NOTIONAL} [-1013]"
    text = keep_sentence(VenueUnavailable(venue="alpha", cause=said).message)

    with translation.override("zh-hans"):
        assert (
            render(read_sentence(text))
            == f"无法连接交易所 alpha：{said}。未做任何更改，请稍后再试。"
        )


def test_values_come_back_as_they_are_shown():
    kept = read_sentence(keep_sentence(Message("{a} {b}", {"a": D("1.50"), "b": 7})))

    assert kept == Message("{a} {b}", {"a": "1.5", "b": 7})


@pytest.mark.parametrize(
    "typed", ["odd {it} of 100 %", '{"template":"x","context":{}}', '{"template":"token=abc"']
)
def test_what_a_person_typed_comes_back_as_it_is(typed):
    assert str(read_reason(keep_words(typed))) == typed


def test_a_reason_is_translated_if_the_platform_gave_it_and_not_if_a_person_typed_it():
    word, own = "halted", frozenset({"halted"})
    assert keep_words("system", own) == "system"  # no longer than it has to be

    with translation.override("zh-hans"):
        assert render(read_reason(keep_reason(word))) == word
        assert render(read_reason(keep_reason(word, own), own)) == word
        assert render(read_reason(keep_reason(Message(word)))) == "已暂停"
        assert render(read_reason(word, own)) == "已暂停"  # as the platform writes it there


def test_a_value_may_be_kept_in_quotes():
    said = Message("{value!r} is not a number.", {"value": "x"})

    assert read_sentence(keep_sentence(said)) == said


def test_nothing_is_kept_as_nothing():
    assert keep_sentence(Message("")) == ""
    assert read_sentence("") == Message("")
    assert render(read_sentence("")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "what {it} was: 100 %",
        '{"msg": "no"}',
        '{"template":"cut in the mid',
        '{"template":"x","context":5}',
        '{"template":"x","context":"typed"}',
        '{"template":"{a.__class__}","context":{"a":1}}',
        '{"template":"{a[0]}","context":{"a":"typed"}}',
        '{"template":"{a:>99999999999999}","context":{"a":"typed"}}',
        '{"template":"{b}","context":{"a":"typed"}}',
        '{"template":"{a","context":{"a":"typed"}}',
        '{"template":"{a}","context":{"a":{"template":"{b:9}","context":{"b":1}}}}',
    ],
)
def test_an_old_text_is_shown_as_it_was(text):
    assert read_sentence(text) == Message(text)
    assert render(read_sentence(text)) == text


@pytest.mark.parametrize(
    "said",
    [
        "signature=5up3r5ecret",
        'refused {"api_secret": "5up3r5ecret", "code": 1}',
        "https://user:5up3r5ecret@alpha.example/",
        ValueError("token: 5up3r5ecret"),
    ],
)
def test_a_secret_is_masked_however_deep_it_stands(said):
    inner = VenueUnavailable(venue="alpha", cause=said).message
    text = keep_sentence(AccountKeyRefused(account="alpha/main", cause=inner).message)

    assert "5up3r5ecret" not in text
    assert "***" in render(read_sentence(text))


@pytest.mark.parametrize(
    "sentence",
    [
        Message("The token: {value} was refused", {"value": "5up3r5ecret"}),
        Message("The token: '{value}' was refused", {"value": "5up3r5ecret"}),
        Message("{name}: {value}", {"name": "api_secret", "value": "5up3r5ecret"}),
        Message("{name}={cause}", {"name": "signature", "cause": Message("5up3r5ecret")}),
    ],
    ids=lambda sentence: sentence.template,
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_secret_beside_its_name_is_masked_wherever_the_two_stand(sentence, is_nested):
    if is_nested:
        sentence = VenueUnavailable(venue="alpha", cause=sentence).message
    text = keep_sentence(sentence)

    assert "5up3r5ecret" not in text
    # whoever books or halts by it writes it out in English
    assert str(read_sentence(text)) == redact(str(sentence))


@pytest.mark.parametrize("typed", ["token: was a bet", "was a bet"])
def test_what_a_person_typed_is_masked_nowhere_within_a_sentence(typed):
    said = Message("the token: {note}, {cause}", {"note": as_typed(typed), "cause": "key"})

    assert str(read_sentence(keep_sentence(said))) == f"the token: {typed}, key"


def test_a_template_that_wants_more_than_texts_is_kept_as_a_finished_text():
    text = keep_sentence(Message("{share:.1f} % {name}", {"share": D("1.25"), "name": "{a}"}))

    assert read_sentence(text) == Message("1.2 % {a}")


OF_TRADING = [error for error in all_errors() if not error.__module__.startswith("arbplatform.")]


@pytest.mark.parametrize("error", OF_TRADING, ids=lambda error: error.__name__)
def test_no_sentence_of_ours_looks_like_a_secret(error):
    assert redact(error.summary) == error.summary
