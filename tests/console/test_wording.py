"""Messages become sentences in the reader's language."""

import logging
from decimal import Decimal

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy

from arbplatform.core.errors import Message
from arbplatform.wording import fill, render, untranslated
from ledger.models.halts import TradingStateChoice
from ledger.models.orders import OrderKindChoice
from strategies.models.strategies import ExecutionStateChoice, StrategyDriverChoice


def test_a_message_is_translated_first_and_filled_in_afterwards():
    message = Message("The strategy {name} is not running.", {"name": "α"})

    with translation.override("zh-hans"):
        assert render(message) == "策略 α 未在运行。"
    with translation.override("en"):
        assert render(message) == "The strategy α is not running."


def test_a_message_inside_a_message_is_in_the_same_language():
    inner = Message("The strategy {name} is not running.", {"name": "α"})

    with translation.override("zh-hans"):
        text = render(Message("The accounts do not fit: {cause}", {"cause": inner}))

    assert text == "账户不符合要求：策略 α 未在运行。"


def test_a_label_is_kept_as_its_key_whatever_language_is_active():
    with translation.override("zh-hans"):
        kept = untranslated(TradingStateChoice.REDUCING.label)
        assert (kept, render(kept)) == (Message("reducing only"), "只减仓")

    assert render(kept) == "reducing only"


def test_decimals_are_plain_digits():
    message = Message("{free} of {total}", {"free": Decimal("1E-8"), "total": Decimal("Infinity")})

    assert render(message) == "0.00000001 of Infinity"


def test_texts_that_are_no_messages_are_translated_too():
    with translation.override("zh-hans"):
        assert render("Overview") == "总览"
        assert render(gettext_lazy("Overview")) == "总览"
    assert render("") == ""
    assert render(Message("")) == ""


def test_a_template_that_does_not_fit_is_shown_bare_and_logged(caplog):
    with caplog.at_level(logging.ERROR):
        assert fill("No {thing} here.", {"other": 1}) == "No {thing} here."

    assert "does not fit its values" in caplog.text


def test_braces_without_values_are_left_alone():
    assert render(Message("Use {placeholders}.")) == "Use {placeholders}."


@pytest.mark.parametrize(
    ("label", "chinese"),
    [
        (OrderKindChoice.MARKET.label, "市价"),  # no pair that is traded
        (OrderKindChoice.LIMIT.label, "限价"),  # no limit of risk
        (ExecutionStateChoice.HELD.label, "待人工确认"),  # no balance that orders bind
        (TradingStateChoice.ACTIVE.label, "正常"),  # no row that is in use
        (StrategyDriverChoice.SCHEDULE.label, "定时"),  # no periodic task
    ],
)
def test_one_english_word_for_two_things_is_two_words_in_chinese(label, chinese):
    with translation.override("zh-hans"):
        assert str(label) == chinese
