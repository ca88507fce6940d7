from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import User

from accounts.models import VenueAccount
from arbplatform.core.errors import InvalidInput
from arbplatform.core.masking import redact
from markets.domain.venue_options import mask_options
from markets.errors import SecretsInOptions, UnknownVenue, UnknownVenueClass, VenueInUse
from markets.models import Market, Venue
from markets.services.venues import create_venue, delete_venue, update_venue

pytestmark = pytest.mark.django_db

GOOD: dict[str, Any] = {
    "code": "alpha",
    "ccxt_id": "okx",
    "rest_origin": "http://127.0.0.1:8790/alpha",
    "ws_origin": "ws://127.0.0.1:8790/alpha",
    "options": {"rateLimit": 5},
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Messages that reached the broker."""
    messages: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, kwargs: messages.append((name, kwargs))
    )
    return messages


def test_a_venue_is_made_and_its_markets_are_asked_for_after_the_commit(
    sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        venue = create_venue(**GOOD)
        assert sent == []

    venue.refresh_from_db()
    assert venue.name == "alpha"
    assert venue.to_spec().rest_origin == GOOD["rest_origin"]
    assert venue.to_spec().options == {"rateLimit": 5}
    assert sent == [("markets.sync_markets", {"venue_id": venue.pk})]


def test_a_disabled_venue_is_not_asked(
    sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        create_venue(**GOOD, is_enabled=False)

    assert sent == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", ""),
        ("code", "no spaces"),
        ("code", "x" * 33),
        ("rest_origin", "127.0.0.1:8790"),
        ("rest_origin", "ftp://host/x"),
        ("rest_origin", "http://host/x?y=1"),
        ("ws_origin", "http://host/x"),
        ("options", {"apiKey": "k"}),
        ("options", {"SECRET": "s"}),
        ("options", {f"o{n}": n for n in range(51)}),
        ("ccxt_id", "binanceusdm"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_made(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        create_venue(**{**GOOD, field: value})

    assert list(refusal.value.fields) == [field]
    assert all(str(text) for text in refusal.value.fields[field])
    assert not Venue.objects.exists()


@pytest.mark.parametrize("ccxt_id", ["nosuch", "Exchange", "__init__", "base"])
def test_a_class_that_ccxt_has_not_is_named_and_nothing_is_made(ccxt_id: str) -> None:
    with pytest.raises(UnknownVenueClass, match=ccxt_id):
        create_venue(**{**GOOD, "ccxt_id": ccxt_id})

    assert not Venue.objects.exists()


def test_a_code_that_is_taken_is_refused() -> None:
    create_venue(**GOOD)

    with pytest.raises(InvalidInput) as refusal:
        create_venue(**{**GOOD, "ccxt_id": "kraken"})

    assert list(refusal.value.fields) == ["code"]
    assert Venue.objects.get().ccxt_id == "okx"


def test_parts_of_a_venue_can_change(
    sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    venue = create_venue(**GOOD)

    with django_capture_on_commit_callbacks(execute=True):
        update_venue(venue_id=venue.pk, name="Alpha", code="alpha")

    venue.refresh_from_db()
    assert venue.name == "Alpha"
    assert sent == []


def test_another_address_means_other_markets(
    sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    venue = create_venue(**GOOD)

    with django_capture_on_commit_callbacks(execute=True):
        update_venue(venue_id=venue.pk, rest_origin="http://127.0.0.1:9999")

    assert sent == [("markets.sync_markets", {"venue_id": venue.pk})]


def test_the_code_stays_because_strategies_name_it() -> None:
    venue = create_venue(**GOOD)

    with pytest.raises(InvalidInput) as refusal:
        update_venue(venue_id=venue.pk, code="beta", name="Beta")

    assert list(refusal.value.fields) == ["code"]
    venue.refresh_from_db()
    assert (venue.code, venue.name) == ("alpha", "alpha")


def test_wrong_or_unknown_changes_change_nothing() -> None:
    venue = create_venue(**GOOD)

    with pytest.raises(InvalidInput) as refusal:
        update_venue(venue_id=venue.pk, synced_at=None, name="Alpha")
    assert list(refusal.value.fields) == ["synced_at"]
    with pytest.raises(InvalidInput):
        update_venue(venue_id=venue.pk, rest_origin="nonsense")
    with pytest.raises(UnknownVenueClass):
        update_venue(venue_id=venue.pk, ccxt_id="nosuch")
    with pytest.raises(UnknownVenue):
        update_venue(venue_id=venue.pk + 1, name="x")

    venue.refresh_from_db()
    assert (venue.name, venue.rest_origin) == ("alpha", GOOD["rest_origin"])


def test_a_venue_that_nothing_depends_on_goes_with_its_markets(alpha: Venue) -> None:
    delete_venue(venue_id=alpha.pk)

    assert not Venue.objects.exists()
    assert not Market.objects.exists()


def test_a_venue_in_use_stays_and_its_users_are_named(alpha: Venue, staff: User) -> None:
    VenueAccount.objects.create(venue=alpha, label="main", api_key="k", api_secret="s")

    with pytest.raises(VenueInUse) as refusal:
        delete_venue(venue_id=alpha.pk)

    assert "1 venue accounts" in str(refusal.value)
    assert Venue.objects.filter(pk=alpha.pk).exists()
    assert alpha.markets.count() == 2


def test_deleting_what_is_not_there_says_so() -> None:
    with pytest.raises(UnknownVenue):
        delete_venue(venue_id=12)


PROXY = "http://user:planted-0123@proxy.example:3128"
MASKED = PROXY.replace("planted-0123", "***")


@pytest.mark.parametrize(
    "options", [{"apiKey": "k"}, {"options": {"secret": "s"}}, {"headers": {"Api-Key": "k"}}]
)
def test_credentials_among_the_options_are_refused_and_it_is_said_where_they_belong(
    options: dict[str, Any],
) -> None:
    with pytest.raises(SecretsInOptions, match="credentials belong to an account") as refusal:
        create_venue(**{**GOOD, "options": options})

    assert refusal.value.code == 2057
    assert not Venue.objects.exists()


def test_a_venue_that_holds_credentials_from_before_goes_on_and_takes_no_others() -> None:
    venue = create_venue(**GOOD)
    old = {"options": {"secret": "old"}}
    Venue.objects.update(options=old)

    changed = update_venue(venue_id=venue.pk, name="New", options=mask_options(old))
    with pytest.raises(SecretsInOptions):
        update_venue(venue_id=venue.pk, options={"options": {"secret": "new"}})

    assert (changed.name, changed.to_spec().options) == ("New", old)
    assert Venue.objects.get().options == old


def test_what_is_sent_back_masked_stays_and_goes_to_no_other_proxy() -> None:
    venue = create_venue(**{**GOOD, "options": {"httpsProxy": PROXY}})

    changed = update_venue(venue_id=venue.pk, options={"httpsProxy": MASKED, "rateLimit": 9})
    with pytest.raises(InvalidInput) as refusal:
        update_venue(venue_id=venue.pk, options={"httpsProxy": MASKED.replace("proxy.", "evil.")})

    assert changed.options == {"httpsProxy": PROXY, "rateLimit": 9}
    assert "Enter the password of the proxy again" in str(refusal.value.fields["options"][0])
    assert Venue.objects.get().options == changed.options


def test_the_password_of_a_proxy_is_masked_wherever_it_comes_up_once_it_is_used() -> None:
    venue = create_venue(**{**GOOD, "options": {"httpsProxy": PROXY}})
    said = "the proxy refuses planted-0123"
    assert redact(said) == said

    venue.to_spec()

    assert redact(said) == "the proxy refuses ***"
