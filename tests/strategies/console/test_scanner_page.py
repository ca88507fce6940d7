"""The console's page of the scanner."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from markets.models import Venue

pytestmark = pytest.mark.django_db

PAGE = "/admin/strategies/opportunity/scanner/"


def test_the_page_lists_what_earns(console, edge):
    text = console.get(PAGE).content.decode()

    assert "BTC/USDT alpha → beta" in text
    assert "2 venues, 6 markets, 6 pairs of venues and 4 ways around" in text


def test_the_page_marks_what_is_too_good(console, edge):
    edge["beta"].set_book("BTC/USDT", bids=[("90000", "1")], asks=[("90010", "1")])

    assert "too good to be true" in console.get(PAGE, {"sort": "profit"}).content.decode()


def test_an_empty_page_says_that_nothing_earns(console, calm):
    assert "No round trip earns anything" in console.get(PAGE).content.decode()


def test_without_venues_the_page_says_what_to_do(console):
    assert not Venue.objects.exists()
    assert "Add a venue" in console.get(PAGE).content.decode()


def test_a_venue_that_does_not_answer_is_named(console, calm):
    calm["beta"].is_reachable = False

    assert "beta: " in console.get(PAGE).content.decode()


def test_who_may_not_see_opportunities_may_not_scan():
    clerk = get_user_model().objects.create_user("clerk", password="x", is_staff=True)
    client = Client()
    client.force_login(clerk)

    assert client.get(PAGE).status_code == 403
