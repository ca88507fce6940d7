"""How amounts look on pages."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from arbplatform.console import template_filters
from arbplatform.console.template_filters import (
    age,
    money,
    signed_amount,
    signed_money,
    since_ms,
    tone,
)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (0.2, "0 s"), (59.9, "59 s"), (125, "2\xa0minutes")]
)
def test_what_is_young_is_told_in_seconds(clock, monkeypatch, seconds, text):
    monkeypatch.setattr(template_filters, "SYSTEM_CLOCK", clock)

    assert age(clock.now() - timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("age_ms", "english", "chinese"),
    [
        (-3, "0 ms", "0 毫秒"),
        (92, "92 ms", "92 毫秒"),
        (2_220, "2 s", "2 秒"),
        (125_000, "2\xa0minutes", "2 分钟"),
    ],
)
def test_an_age_is_told_with_the_units_of_the_reader(clock, monkeypatch, age_ms, english, chinese):
    monkeypatch.setattr(template_filters, "SYSTEM_CLOCK", clock)

    with translation.override("en"):
        assert since_ms(age_ms) == english
    with translation.override("zh-hans"):
        assert since_ms(age_ms).replace("\xa0", " ") == chinese


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1234567.899", "1,234,567.89"), ("0", "0.00"), ("-0.001", "-0.01"), (None, "–")],
)
def test_money_has_two_places_and_is_never_rounded_up(amount, text):
    assert money(amount and Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("12.345", "+12.34"), ("-12.345", "-12.35"), ("0.001", "0.00"), ("0", "0.00"), (None, "–")],
)
def test_a_result_has_its_sign(amount, text):
    assert signed_money(amount and Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.000123", "+0.000123"),
        ("-0.5", "-0.5"),
        ("0", "0"),
        ("0.000000001", "0"),
        ("1E+3", "+1000"),
        (None, "–"),
    ],
)
def test_a_result_in_an_asset_keeps_eight_places(amount, text):
    assert signed_amount(amount and Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "name"),
    [("1", "arb-positive"), ("-1", "arb-negative"), ("0", "arb-neutral"), (None, "arb-neutral")],
)
def test_profit_and_loss_have_colours(amount, name):
    assert tone(amount and Decimal(amount)) == name
