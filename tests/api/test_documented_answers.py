"""What addresses answer is what the API document says, to the last name."""

import re

import pytest
from django.utils import timezone
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from ledger.models import Discrepancy
from tests.documented import document
from tests.populated import populated

ASKED = {"symbol": "BTC/USDT"}
"""Values of the parameters that an address must be given."""
NOT_THERE = {
    "/api/accounts/{id}/ways",
    "/api/addresses/{id}",
    "/api/markets/kline",
    "/api/markets/ticker",
    "/api/networks/{id}",
    "/api/venues/{key}/faults",
}
"""The platform in memory has nothing to show at these."""


@pytest.fixture
def platform(db):
    with populated() as found:
        Discrepancy.objects.create(
            account=found.accounts[0],
            kind="order_state",
            subject="7",
            state="alarmed",
            template="The venue does not know it.",
            first_seen_at=timezone.now(),
            last_seen_at=timezone.now(),
        )
        yield found


def as_json_schema(part):
    """Return a part of the document as JSON Schema; nothing but what it names may be answered."""
    if isinstance(part, list):
        return [as_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {name: as_json_schema(each) for name, each in part.items()}
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", False) else made


def list_addresses(api, said):
    """Yield every address that can be read, with ids of rows that are there, and its path."""
    for path, methods in said["paths"].items():
        if "get" not in methods or path in NOT_THERE:
            continue
        address = path
        if (place := re.search(r"\{(id|key)\}", path)) is not None:
            listed = re.sub(r".*/(?=strategies)", "/api/", path.partition("/{")[0])
            data = api.get(listed).json()["data"]
            row = (data["results"] if isinstance(data, dict) else data)[0]
            address = path.replace(place[0], str(row["id" if place[1] == "id" else "code"]))
        asked = [
            f"{each['name']}={ASKED[each['name']]}"
            for each in methods["get"].get("parameters", [])
            if each["in"] == "query" and each.get("required")
        ]
        yield path, "?".join([address, "&".join(asked)])


def test_every_answer_is_what_the_document_says(staff_api, platform):
    said = document()
    components = as_json_schema(said["components"])
    complaints = {}
    for path, address in list_addresses(staff_api, said):
        answer = staff_api.get(address)
        responses = said["paths"][path]["get"]["responses"]
        content = responses[str(answer.status_code)]["content"]["application/json"]
        schema = {**as_json_schema(content["schema"]), "components": components}
        error = best_match(Draft7Validator(schema).iter_errors(answer.json()))
        if error is not None:
            complaints[address] = f"{list(error.absolute_path)}: {error.message}"

    assert complaints == {}
