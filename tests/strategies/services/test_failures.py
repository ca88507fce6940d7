"""What is kept of an error."""

from arbplatform.core.errors import Conflict, Message
from markets.errors import VenueUnavailable
from strategies.services.failures import ERROR_LENGTH_MAX, Failure, explain


def test_an_error_of_ours_is_kept_as_a_sentence_with_its_code():
    error = Conflict("The strategy {name} has no run.", name="a")

    assert explain(error) == Failure(
        Message("The strategy {name} has no run.", {"name": "a"}), 1003
    )


def test_an_error_that_nobody_foresaw_is_kept_with_its_kind_and_no_code():
    assert explain(ValueError("a {b}\nc")) == Failure(Message("ValueError: a {b} c"))


def test_a_secret_that_a_plugin_tells_is_masked():
    failure = explain(RuntimeError("refused: {'api_secret': '5up3r5ecret'}"))

    assert str(failure.message) == "RuntimeError: refused: {'api_secret': ***}"


def test_a_secret_that_a_venue_repeats_is_masked_and_the_sentence_stays_one():
    error = VenueUnavailable(venue="alpha", cause="{'signature': '5up3r5ecret'}")

    failure = explain(error)

    context = {"venue": "alpha", "cause": "{'signature': ***}"}
    assert failure == Failure(Message(error.message.template, context), error.code)


def test_what_is_too_long_is_cut_and_stays_as_it_was_said():
    said = Conflict("It said {text}", text="x" * ERROR_LENGTH_MAX)

    failure = explain(said)

    assert failure == Failure(Message(f"It said {'x' * ERROR_LENGTH_MAX}"[:ERROR_LENGTH_MAX]), 1003)
    assert len(str(explain(ValueError("y" * 9_999)).message)) == ERROR_LENGTH_MAX
