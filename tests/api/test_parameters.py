"""What an address would not read is refused, and the refusal says what it would."""

import re

import pytest
from django.urls import resolve

from accounts.models import VenueAccount
from arbplatform.api.parameters import known_parameters
from arbplatform.core.errors import InvalidInput
from markets.models import Venue
from tests.documented import document

DOCUMENT = document()
LOCALE = {"HTTP_ACCEPT_LANGUAGE": "en"}
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
READS = [(path, operation) for method, path, operation in OPERATIONS if method == "get"]
FREE = {"/api/venues/{key}/faults"}
"""Bodies whose fields depend on one another; the service knows them."""


@pytest.fixture(autouse=True)
def account(db):
    """The account with the id 1, whose balances can be asked for."""
    venue = Venue.objects.create(code="alpha", name="alpha", ccxt_id="binance")
    return VenueAccount.objects.create(pk=1, venue=venue, label="main")


def named(operations):
    return [pytest.param(*one, id=" ".join(one[:-1])) for one in operations]


def address(path):
    return re.sub(r"\{key\}", "alpha", re.sub(r"\{id\}", "1", path))


def queries(operation):
    return {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"}


def of_kind(*kinds):
    """Return each parameter whose values are of one of the kinds, with what describes it."""
    found = []
    for path, operation in READS:
        for name, parameter in queries(operation).items():
            schema = parameter["schema"].get("items", parameter["schema"])
            kind = "enum" if "enum" in schema else schema.get("format", schema["type"])
            if kind in kinds:
                found.append((path, name, schema))
    return named(found)


@pytest.mark.parametrize(("method", "path", "operation"), named(OPERATIONS))
def test_a_parameter_that_is_not_read_is_refused(staff_api, refusal, method, path, operation):
    response = getattr(staff_api, method)(f"{address(path)}?nonsense=1", **LOCALE)

    assert refusal(response) == (400, InvalidInput.code, ["nonsense"])
    known = sorted(queries(operation))
    (complaint,) = response.json()["data"]["fields"]["nonsense"]
    if known:
        names = ", ".join(known)
        assert complaint == f"There is no such parameter. Known here: {names}."
    else:
        assert complaint == "Nothing is read from the address here. Leave it out."


@pytest.mark.parametrize(("path", "operation"), named(READS))
def test_what_is_documented_is_what_is_read(path, operation):
    view = resolve(address(path)).func

    assert known_parameters(vars(view)["cls"]) == set(queries(operation))


@pytest.mark.parametrize(
    "path", [path for path, operation in READS if "ordering" in queries(operation)]
)
def test_an_order_that_is_not_known_is_answered_with_those_that_are(staff_api, refusal, path):
    for wish in ("nonsense", "--id", "id,nonsense", "password"):
        response = staff_api.get(address(path), {"ordering": wish}, **LOCALE)
        assert refusal(response) == (400, InvalidInput.code, ["ordering"]), wish
        (complaint,) = response.json()["data"]["fields"]["ordering"]
        assert re.match(r"Order by one or more of: \w|Must be one of -edge_bps, -profit", complaint)


@pytest.mark.parametrize(("path", "name", "schema"), of_kind("enum"))
def test_a_choice_that_is_not_known_is_answered_with_those_that_are(
    staff_api, refusal, path, name, schema
):
    live = {"view": "live"} if path == "/api/opportunities" and name == "kind" else {}
    response = staff_api.get(address(path), {**live, name: "nonsense"}, **LOCALE)

    assert refusal(response) == (400, InvalidInput.code, [name])
    (complaint,) = response.json()["data"]["fields"][name]
    assert sorted(complaint.removeprefix("Must be one of ").rstrip(".").split(", ")) == sorted(
        schema["enum"]
    )


@pytest.mark.parametrize(
    ("path", "name", "schema"), of_kind("boolean", "integer", "date-time", "number")
)
def test_a_value_of_another_type_is_refused(staff_api, path, name, schema):
    live = {"view": "live"} if path == "/api/opportunities" and name == "limit" else {}
    response = staff_api.get(address(path), {**live, name: "nonsense"}, **LOCALE)

    assert (response.status_code, response.json()["code"]) == (400, InvalidInput.code)
    assert name in response.json()["data"]["fields"]


def test_every_body_is_documented_as_refusing_what_it_does_not_know():
    open_ended = []
    for method, path, operation in OPERATIONS:
        if "requestBody" not in operation or path in FREE:
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        component = DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]]
        if component.get("additionalProperties") is not False:
            open_ended.append((method, path))

    assert open_ended == []


@pytest.mark.parametrize(
    ("path", "body", "known"),
    [
        ("/api/auth/login", {"username": "a", "password": "b"}, "username, password"),
        ("/api/risk/kill", {"reason": "storm"}, "reason, level, target_id, is_reducing"),
        ("/api/risk/resume", {"reason": "over"}, "reason, level, target_id, guard"),
    ],
)
def test_a_field_that_is_not_known_is_refused_and_nothing_is_done(
    staff_api, refusal, path, body, known
):
    response = staff_api.post(path, {**body, "levle": "venue"}, **LOCALE)

    assert refusal(response) == (400, InvalidInput.code, ["levle"])
    (complaint,) = response.json()["data"]["fields"]["levle"]
    assert complaint == f"There is no such field. Known here: {known}."


def test_a_misspelt_limit_lifts_none(staff_api, refusal, data):
    first = data(staff_api.put("/api/transfer-limits", {"transfer_max": "100"}))

    again = staff_api.put("/api/transfer-limits", {"transfer_maxx": "100"})

    assert refusal(again) == (400, InvalidInput.code, ["transfer_maxx"])
    (row,) = data(staff_api.get("/api/transfer-limits"))["results"]
    assert row == first
