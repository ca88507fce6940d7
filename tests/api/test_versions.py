"""A program that says which version it has read undoes nothing that was changed since."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import TransferLimit, VenueAccount
from accounts.services.accounts import update_account
from arbplatform.api.document import make_document
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.errors import ChangedMeanwhile
from markets.services.venues import update_venue
from strategies.domain.risk import Limits
from strategies.models import RiskLimits, Strategy
from strategies.services.risk import LIMIT_NAMES, save_limits
from strategies.services.strategies import update_strategy
from tests.at_once import at_once
from tests.populated import populated

pytestmark = pytest.mark.django_db

NONE = dict.fromkeys(LIMIT_NAMES)
NO_TRANSFER_LIMITS = dict.fromkeys(
    ("transfer_max", "account_day_max", "total_day_max", "approval_above")
)


@pytest.fixture
def platform(db):
    with populated() as found:
        yield found


def version(response):
    assert response.status_code == 200, response.json()
    return response["ETag"]


def is_stale(response):
    body = response.json()
    assert (response.status_code, body["code"]) == (412, ChangedMeanwhile.code)
    assert body["msg"] == ChangedMeanwhile.summary
    return body["data"] is None


@pytest.fixture
def cases(platform, staff_api):
    """By address: a body, what somebody else does meanwhile, and the body's method."""
    strategy, account = platform.strategies[2], platform.accounts[0]
    return {
        f"/api/strategies/{strategy.pk}": (
            staff_api.patch,
            {"interval_ms": 500},
            lambda: update_strategy(strategy_id=strategy.pk, name="theirs"),
        ),
        f"/api/accounts/{account.pk}": (
            staff_api.patch,
            {"label": "mine"},
            lambda: update_account(account_id=account.pk, api_key="theirs-123456"),
        ),
        f"/api/venues/{account.venue.code}": (
            staff_api.patch,
            {"name": "Mine"},
            lambda: update_venue(venue_id=account.venue_id, options={"x": "theirs"}),
        ),
        "/api/risk/limits": (
            staff_api.put,
            NONE | {"day_loss_max": "5"},
            lambda: save_limits(strategy_id=None, limits=Limits(open_orders_max=3)),
        ),
        f"/api/risk/limits/strategies/{strategy.pk}": (
            staff_api.put,
            NONE | {"day_loss_max": "5"},
            lambda: save_limits(strategy_id=strategy.pk, limits=Limits(open_orders_max=3)),
        ),
        "/api/transfer-limits": (
            staff_api.put,
            NO_TRANSFER_LIMITS | {"transfer_max": "5"},
            lambda: staff_api.put(
                "/api/transfer-limits",
                NO_TRANSFER_LIMITS | {"transfer_max": "7"},
                format="json",
            ),
        ),
    }


def test_what_was_changed_since_it_was_read_is_not_changed_again(cases, staff_api):
    for address, (change, body, meanwhile) in cases.items():
        read = version(staff_api.get(address))
        meanwhile()
        before = staff_api.get(address).json()

        answer = change(address, body, format="json", headers={"If-Match": read})

        assert is_stale(answer), address
        assert staff_api.get(address).json() == before, address


def test_what_is_as_it_was_read_is_changed_and_has_a_new_version(cases, staff_api):
    for address, (change, body, _meanwhile) in cases.items():
        read = version(staff_api.get(address))

        answer = change(address, body, format="json", headers={"If-Match": read})

        assert version(answer) != read, address
        assert version(staff_api.get(address)) == version(answer), address
        again = change(address, body, format="json", headers={"If-Match": read})
        assert is_stale(again), address


@pytest.mark.parametrize("name", ["api_secret", "passphrase"])
def test_a_secret_that_is_replaced_alone_is_a_new_version(platform, staff_api, name):
    account = platform.accounts[0]
    address = f"/api/accounts/{account.pk}"
    read = version(staff_api.get(address))
    theirs: Any = {name: "theirs-123456"}
    update_account(account_id=account.pk, **theirs)

    answer = staff_api.patch(
        address, {"api_secret": "mine-123456"}, format="json", headers={"If-Match": read}
    )

    assert is_stale(answer)
    assert getattr(VenueAccount.objects.get(pk=account.pk), name) == "theirs-123456"


def test_the_version_of_an_account_needs_no_key_to_its_secrets(platform, staff_api, settings):
    address = f"/api/accounts/{platform.accounts[0].pk}"
    read = version(staff_api.get(address))

    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    assert version(staff_api.get(address)) == read


def test_limits_of_transfers_that_came_too_late_leave_none_behind(platform, staff_api):
    address = "/api/transfer-limits"

    answer = staff_api.put(
        address, NO_TRANSFER_LIMITS, format="json", headers={"If-Match": '"other"'}
    )

    assert is_stale(answer)
    assert not TransferLimit.objects.exists()  # a row without limits would lift ours


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_of_one", [False, True])
def test_of_two_that_set_limits_of_transfers_for_the_first_time_one_is_told(
    platform, staff, staff_api, is_of_one
):
    address = "/api/transfer-limits"
    whose = {"account": platform.accounts[0].pk} if is_of_one else {}
    read = version(staff_api.get(address))

    def set_limits(most):
        client = APIClient()
        client.force_authenticate(staff)
        body = NO_TRANSFER_LIMITS | whose | {"transfer_max": most}
        return client.put(address, body, format="json", headers={"If-Match": read}).status_code

    for _each in range(5):
        TransferLimit.objects.all().delete()
        assert sorted(at_once(set_limits, ["5", "7"])) == [200, 412]


def test_who_does_not_say_what_was_read_changes_what_there_is(cases, staff_api):
    for address, (change, body, meanwhile) in cases.items():
        meanwhile()
        assert change(address, body, format="json").status_code == 200, address


def test_what_changes_by_itself_is_no_new_version(platform, staff_api):
    strategy = platform.strategies[0]
    read = version(staff_api.get(f"/api/strategies/{strategy.pk}"))

    Strategy.objects.filter(pk=strategy.pk).update(last_tick_at=SYSTEM_CLOCK.now())

    assert version(staff_api.get(f"/api/strategies/{strategy.pk}")) == read


@pytest.mark.parametrize("form", ["*", "W/{}", '"other", {}'])
def test_every_form_of_the_header_is_understood(platform, staff_api, form):
    address = f"/api/strategies/{platform.strategies[2].pk}"
    read = version(staff_api.get(address))

    answer = staff_api.patch(
        address, {"name": "a"}, format="json", headers={"If-Match": form.format(read)}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("sent", ["", "nonsense", '"x"', 'W/"x"'])
def test_a_header_that_names_no_version_of_ours_matches_nothing(platform, staff_api, sent):
    address = f"/api/strategies/{platform.strategies[2].pk}"

    answer = staff_api.patch(address, {"name": "a"}, format="json", headers={"If-Match": sent})

    assert is_stale(answer)


def test_nothing_is_deleted_that_was_changed_since(platform, staff_api):
    strategy = platform.strategies[2]
    address = f"/api/strategies/{strategy.pk}"
    read = version(staff_api.get(address))
    update_strategy(strategy_id=strategy.pk, name="theirs")

    assert is_stale(staff_api.delete(address, headers={"If-Match": read}))
    assert Strategy.objects.filter(pk=strategy.pk).exists()
    fresh = version(staff_api.get(address))
    assert staff_api.delete(address, headers={"If-Match": fresh}).status_code == 200
    assert not Strategy.objects.filter(pk=strategy.pk).exists()


def test_a_refused_change_leaves_nothing_behind(staff_api, db):
    read = version(staff_api.get("/api/risk/limits"))

    body = NONE | {"venue_share_max": "2"}
    answer = staff_api.put("/api/risk/limits", body, format="json", headers={"If-Match": read})

    assert answer.status_code == 400
    assert not RiskLimits.objects.exists()  # a row without limits would lift ours


def test_a_key_of_a_request_that_came_too_late_may_be_used_again(platform, staff_api):
    address = f"/api/strategies/{platform.strategies[2].pk}"
    named = {"Idempotency-Key": "k"}
    late = staff_api.patch(
        address, {"name": "a"}, format="json", headers=named | {"If-Match": '"x"'}
    )
    assert is_stale(late)

    read = version(staff_api.get(address))
    answer = staff_api.patch(
        address, {"name": "a"}, format="json", headers=named | {"If-Match": read}
    )

    assert answer.status_code == 200


def test_the_document_names_the_headers_where_they_are_understood():
    paths = make_document("en")["paths"]
    found = {
        (path, method)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if any(each["name"] == "If-Match" for each in operation.get("parameters", ()))
    }
    configured = {f"/api/{name}" for name in ("strategies/{id}", "accounts/{id}", "venues/{key}")}
    limits = {
        f"/api/{name}" for name in ("risk/limits", "risk/limits/strategies/{id}", "transfer-limits")
    }
    writes = {(path, method) for path in configured for method in ("put", "patch", "delete")}

    difference = "/api/reconciliation/discrepancies/{id}"
    acts = [f"{difference}/{act}" for act in ("book", "settle-fee", "acknowledge")]
    decided = {(path, "post") for path in (*acts, "/api/transfers/{id}/confirm")}
    assert found == writes | decided | {(path, "put") for path in limits}
    for path in configured | limits:
        headers = paths[path]["get"]["responses"]["200"]["headers"]
        assert headers["ETag"]["schema"] == {"type": "string"}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_what_is_compared_is_kept_until_it_is_changed(cases, staff_api):
    for address, (change, body, _meanwhile) in cases.items():
        staff_api.put("/api/transfer-limits", NO_TRANSFER_LIMITS, format="json")
        read = version(staff_api.get(address))
        with CaptureQueriesContext(connection) as captured:
            answer = change(address, body, format="json", headers={"If-Match": "no" + read})

        assert is_stale(answer), address
        locks = (" FOR UPDATE", " FOR NO KEY UPDATE")
        assert any(lock in query["sql"] for query in captured for lock in locks), address
