"""The API document is valid, complete, and tells the truth about the envelope."""

import io
import json

import pytest
from django.core.management import call_command
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator

from arbplatform.api.document import make_document
from arbplatform.api.routes import OptionalSlashPattern

ROUTES = {
    "/api/strategies": {"get", "post"},
    "/api/strategies/{id}": {"get", "put", "patch", "delete"},
    "/api/strategies/{id}/start": {"post"},
    "/api/strategies/{id}/stop": {"post"},
    "/api/strategies/types": {"get"},
    "/api/runs": {"get"},
    "/api/accounts": {"get", "post"},
    "/api/accounts/{id}": {"get", "put", "patch", "delete"},
    "/api/accounts/{id}/transfer": {"post"},
    "/api/accounts/{id}/test": {"post"},
    "/api/accounts/{id}/balances": {"get"},
    "/api/engines": {"get"},
    "/api/venues": {"get", "post"},
    "/api/markets/symbols": {"get"},
    "/api/markets/feeds": {"get"},
    "/api/markets/kline": {"get"},
    "/api/markets/orderbook": {"get"},
    "/api/markets/ticker": {"get"},
    "/api/logs": {"get"},
    "/api/trades": {"get"},
    "/api/overview": {"get"},
    "/api/auth/login": {"post"},
    "/api/auth/logout": {"post"},
    "/api/auth/me": {"get"},
}
"""What the platform promises; there may be more."""


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.fixture(scope="module")
def operations(document):
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_promised_route_is_documented(document):
    missing = {
        (path, method)
        for path, methods in ROUTES.items()
        for method in methods
        if method not in document["paths"].get(path, {})
    }

    assert missing == set()


def test_the_document_is_valid_and_free_of_warnings():
    call_command(
        "spectacular", "--lang", "en", "--validate", "--fail-on-warn", stdout=io.StringIO()
    )


def resolve(document, schema):
    return (
        document["components"]["schemas"][schema["$ref"].split("/")[-1]]
        if "$ref" in schema
        else schema
    )


def test_every_success_is_documented_inside_the_envelope(document, operations):
    bare = []
    for path, method, operation in operations:
        for status, response in operation["responses"].items():
            if not status.startswith("2"):
                continue
            schema = resolve(document, response["content"]["application/json"]["schema"])
            if set(schema["properties"]) != {"code", "msg", "data"} or status == "204":
                bare.append((path, method, status))

    assert bare == []


def test_every_operation_documents_its_errors(operations):
    without = [
        (path, method)
        for path, method, operation in operations
        if operation["responses"]["default"]["content"]["application/json"]["schema"]
        != {"$ref": "#/components/schemas/ErrorEnvelope"}
    ]

    assert without == []


def test_an_error_with_data_of_its_own_is_documented_with_it(document):
    responses = document["paths"]["/api/health"]["get"]["responses"]
    schema = responses["503"]["content"]["application/json"]["schema"]

    assert schema == {"$ref": "#/components/schemas/HealthErrorEnvelope"}
    envelope = resolve(document, schema)["properties"]
    assert envelope["code"]["minimum"] == 1
    assert envelope["data"] == {"$ref": "#/components/schemas/Health"}


def test_every_operation_has_a_name_and_a_description(operations):
    names = [operation["operationId"] for _path, _method, operation in operations]

    assert len(names) == len(set(names))
    assert [path for path, _m, operation in operations if not operation.get("description")] == []


def test_no_amount_of_money_is_documented_as_a_number(document):
    floats = [
        (name, field)
        for name, schema in document["components"]["schemas"].items()
        for field, part in schema.get("properties", {}).items()
        if not field.endswith("_us")  # a duration
        if part.get("type") == "number" or part.get("format") in {"double", "float"}
    ]

    assert floats == []


def test_secrets_are_documented_for_writing_only(document):
    shown = [
        (name, field)
        for name, schema in document["components"]["schemas"].items()
        if not name.endswith("Request")
        for field in schema.get("properties", {})
        if field in {"api_key", "api_secret", "passphrase", "password"}
    ]

    assert shown == []


def test_the_document_and_its_pages_are_served_to_anybody(client, db):
    document = client.get("/api/schema")
    page = client.get("/api/docs")
    script = client.get("/api/docs?script=")

    assert json.loads(document.content)["openapi"].startswith("3.")
    assert page.status_code == 200
    assert "http://" not in page.content.decode()
    assert "https://" not in page.content.decode()
    assert script["Content-Type"].startswith("application/javascript")


def test_the_document_is_made_once_for_each_language(client, db):
    make_document.cache_clear()
    for language in ("en", "zh-hans", "xx", "en"):
        first = client.get("/api/schema", HTTP_ACCEPT_LANGUAGE=language)
        assert client.get(f"/api/schema?lang={language}").status_code == 200
        shown = json.loads(first.content)["components"]["schemas"]["Opportunity"]["properties"]
        title = "发现时间" if language == "zh-hans" else None  # in English it is the name
        assert shown["detected_at"].get("title") == title

    assert make_document.cache_info().misses == 2


def test_every_operation_says_in_a_line_what_it_does(operations):
    summaries = {(path, method): op["summary"] for path, method, op in operations}

    assert summaries["/api/auth/me", "get"] == "Return who is logged in, how, and until when"
    assert [key for key, text in summaries.items() if not 0 < len(text) <= 90] == []


def endpoints(patterns, prefix=""):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from endpoints(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix + str(pattern.pattern), pattern


def test_every_api_address_takes_one_slash_at_its_end_and_does_without():
    api = [
        (path, pattern)
        for path, pattern in endpoints(get_resolver().url_patterns)
        if path.startswith("api/")
    ]

    assert len(api) > 20
    assert [path for path, p in api if not isinstance(p.pattern, OptionalSlashPattern)] == []
