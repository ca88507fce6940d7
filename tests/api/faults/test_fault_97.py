"""A write with an `Idempotency-Key` is carried out once, and whoever sends it again within 24 h
gets the first answer; a double click without a key is refused where it would act twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from rest_framework import status
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.models import VenueAccount
from arbplatform.api import answers, tasks
from arbplatform.api.idempotency import AnswersOnce
from arbplatform.api.models import KeptAnswer
from arbplatform.api.routes import route
from arbplatform.core.errors import Conflict, InvalidInput, RateLimited, Unavailable
from ledger.models import TradingChange, TradingHalt
from markets.gateway.factory import use_gateways
from strategies.models import Run, Strategy
from tests.at_once import at_once
from tests.strategies.fakes import FakeVenues

WORKERS = 8
DONE = SimpleNamespace(calls=[], behave=None)
"""What the test's own address was asked to do, and what it does."""


class ThingsView(APIView):
    """Counts what it carries out."""

    write_permission = "ledger.change_tradinghalt"

    def post(self, request):
        DONE.calls.append(request.data)
        return DONE.behave(request)

    put = patch = delete = get = post


urlpatterns = [
    route("api/things", ThingsView.as_view()),
    route("api/others", ThingsView.as_view()),
]

here = pytest.mark.urls(__name__)


@pytest.fixture
def staff(staff):
    """The same, with the permission that the test's own addresses ask for."""
    staff.user_permissions.set(Permission.objects.filter(codename="change_tradinghalt"))
    return staff


@pytest.fixture(autouse=True)
def nothing_done():
    DONE.calls = []
    DONE.behave = lambda _request: Response({"number": len(DONE.calls)}, status=201)


def send(client, key="k-1", data=None, address="/api/things", method="post"):
    headers = {} if key is None else {"Idempotency-Key": key}
    return getattr(client, method)(
        address, {"a": 1} if data is None else data, format="json", headers=headers
    )


def refusal(response):
    assert "Idempotent-Replayed" not in response
    return response.status_code, response.json()["code"]


def client_of(person):
    client = APIClient()
    client.force_authenticate(person)
    return client


# what is sent again ------------------------------------------------------------------------------


@here
def test_the_same_request_again_gets_the_same_answer_and_is_not_carried_out(staff_api):
    first, again = send(staff_api), send(staff_api)

    assert (first.status_code, again.status_code, len(DONE.calls)) == (201, 201, 1)
    assert first.content == again.content
    assert first.json() == {"code": 0, "msg": "success", "data": {"number": 1}}
    assert first["Content-Type"] == again["Content-Type"]
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")


@here
def test_without_a_key_nothing_changes(staff_api):
    assert [send(staff_api, key=None).json()["data"]["number"] for _ in "ab"] == [1, 2]
    assert not KeptAnswer.objects.exists()


@here
def test_reading_takes_no_key(staff_api):
    for _ in "ab":
        staff_api.get("/api/things", headers={"Idempotency-Key": "k-1"})

    assert (len(DONE.calls), KeptAnswer.objects.count()) == (2, 0)


@here
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_writes_take_keys_too_and_an_empty_answer_is_kept(staff_api, method):
    DONE.behave = lambda _request: Response(status=status.HTTP_204_NO_CONTENT)

    first, again = send(staff_api, method=method), send(staff_api, method=method)

    assert (first.status_code, again.status_code, len(DONE.calls)) == (200, 200, 1)
    assert again.json() == {"code": 0, "msg": "success", "data": None}


@here
def test_a_slash_at_the_end_makes_no_other_request(staff_api):
    send(staff_api)

    assert send(staff_api, address="/api/things/")["Idempotent-Replayed"] == "true"


@here
@pytest.mark.parametrize("change", [{"data": {"a": 2}}, {"data": {"a": 1, "b": None}}])
def test_one_key_for_two_requests_is_refused(staff_api, change):
    send(staff_api)

    assert refusal(send(staff_api, **change)) == (409, 1022)
    assert DONE.calls == [{"a": 1}]


@here
def test_a_key_counts_for_one_person_one_method_and_one_address(staff_api, superuser):
    send(staff_api)
    send(client_of(superuser))
    send(staff_api, method="put")
    send(staff_api, address="/api/others")
    send(staff_api, key="k-2")

    assert (len(DONE.calls), KeptAnswer.objects.count()) == (5, 5)


@here
@pytest.mark.parametrize("key", ["", " ", "two words", "k" * 65, "schlüssel", "a\tb"])
def test_what_cannot_be_a_key_is_refused_and_nothing_is_done(staff_api, key):
    response = send(staff_api, key=key.encode("latin-1").decode("latin-1"))

    assert refusal(response) == (400, 1001)
    assert list(response.json()["data"]["fields"]) == ["Idempotency-Key"]
    assert (DONE.calls, KeptAnswer.objects.count()) == ([], 0)


@here
def test_who_may_not_write_learns_nothing_from_a_key(staff, staff_api, user_api, anonymous_api):
    send(staff_api)
    staff.is_staff = False

    assert refusal(send(staff_api)) == (403, 1005)
    assert refusal(send(user_api, key="k-2")) == (403, 1005)
    assert refusal(send(anonymous_api)) == (401, 1009)
    assert (len(DONE.calls), KeptAnswer.objects.count()) == (1, 1)


# what is kept ------------------------------------------------------------------------------------


def fail(error):
    def behave(_request):
        raise error

    return behave


@here
def test_a_refusal_by_the_state_of_the_world_is_an_answer(staff_api):
    DONE.behave = fail(Conflict())

    first, again = send(staff_api), send(staff_api)

    assert (first.status_code, again.status_code, len(DONE.calls)) == (409, 409, 1)
    assert (first.content, again["Idempotent-Replayed"]) == (again.content, "true")


@here
@pytest.mark.parametrize(
    ("error", "code"),
    [(Unavailable(), 503), (RuntimeError(), 500), (InvalidInput(), 400), (RateLimited(), 429)],
)
def test_what_may_succeed_the_next_time_is_not_kept(staff_api, error, code):
    DONE.behave = fail(error)
    assert send(staff_api).status_code == code
    assert not KeptAnswer.objects.exists()

    DONE.behave = lambda _request: Response({}, status=201)

    assert refusal_or_none(send(staff_api, data={"a": 2})) is None
    assert len(DONE.calls) == 2


def refusal_or_none(response):
    return None if response.status_code == 201 else refusal(response)


@here
def test_a_body_that_is_no_json_leaves_the_key_free(staff_api):
    response = staff_api.generic(
        "POST", "/api/things", "{", "application/json", headers={"Idempotency-Key": "k-1"}
    )

    assert refusal(response) == (400, 1012)
    assert not KeptAnswer.objects.exists()


@here
def test_a_form_from_a_session_is_refused_as_ever(staff):
    client = APIClient()
    client.force_login(staff)

    response = client.post(
        "/api/things", {"a": "1"}, format="multipart", headers={"Idempotency-Key": "k-1"}
    )

    assert refusal(response) == (415, 1013)
    assert (DONE.calls, KeptAnswer.objects.count()) == ([], 0)


@here
def test_nothing_that_was_sent_can_be_read_from_the_table(staff_api, settings):
    send(staff_api, data={"api_secret": "plant-me-not"}, key="order-of-mine")

    kept = KeptAnswer.objects.values().get()

    assert "plant-me-not" not in str(kept)
    assert "order-of-mine" not in str(kept)
    settings.SECRET_KEY = "another"
    assert refusal_or_none(send(staff_api, data={"api_secret": "plant-me-not"})) is None
    assert KeptAnswer.objects.latest("pk").request != kept["request"]


@here
def test_an_answer_that_is_too_long_is_not_kept_and_not_made_again(staff_api, monkeypatch):
    monkeypatch.setattr(answers, "BODY_MAX", 20)

    assert send(staff_api).status_code == 201
    assert refusal(send(staff_api)) == (409, 1024)
    assert len(DONE.calls) == 1


@here
def test_an_answer_that_cannot_be_kept_is_given_all_the_same(staff_api, monkeypatch):
    def away(*_args, **_options):
        raise DatabaseError

    with monkeypatch.context() as patch:
        patch.setattr("arbplatform.api.idempotency.keep", away)
        assert send(staff_api).status_code == 201

    assert refusal(send(staff_api)) == (409, 1023)
    assert len(DONE.calls) == 1


@here
def test_a_process_that_died_leaves_a_request_that_nobody_repeats(staff_api):
    def die(_request):
        raise SystemExit

    DONE.behave = die
    with pytest.raises(SystemExit):
        send(staff_api)
    assert refusal(send(staff_api)) == (409, 1023)

    age(answers.RUNNING_MAX + timedelta(seconds=1))

    assert refusal(send(staff_api)) == (409, 1024)
    assert len(DONE.calls) == 1


def age(duration):
    for kept in KeptAnswer.objects.all():
        kept.created_at -= duration
        kept.save(update_fields=["created_at"])


@here
def test_a_day_later_the_key_is_free(staff_api):
    send(staff_api)
    age(answers.KEPT_FOR - timedelta(minutes=1))
    assert send(staff_api)["Idempotent-Replayed"] == "true"

    age(timedelta(minutes=2))

    assert "Idempotent-Replayed" not in send(staff_api, data={"a": 2})
    assert (len(DONE.calls), KeptAnswer.objects.count()) == (2, 1)


@here
def test_what_is_old_or_too_much_is_removed(staff_api, superuser, monkeypatch):
    send(staff_api, key="old")
    age(answers.KEPT_FOR + timedelta(seconds=1))
    for number in range(4):
        send(staff_api, key=f"k-{number}")
    send(client_of(superuser))
    monkeypatch.setattr(answers, "KEPT_MAX", 3)

    assert (tasks.prune_answers(), tasks.prune_answers()) == (2, 0)

    assert [send(staff_api, key=f"k-{n}").json()["data"]["number"] for n in (1, 2, 3)] == [3, 4, 5]
    assert len(DONE.calls) == 6


# at the same moment ------------------------------------------------------------------------------


@here
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_old", [False, True])
def test_of_many_at_once_one_is_carried_out(staff, is_old):
    if is_old:
        send(client_of(staff))
        age(answers.KEPT_FOR + timedelta(seconds=1))
        DONE.calls = []

    responses = at_once(lambda _number: send(client_of(staff)), range(WORKERS))

    assert len(DONE.calls) == 1
    codes = [r.json()["code"] for r in responses if "Idempotent-Replayed" not in r]
    assert (codes.count(0), set(codes) - {0, 1023}) == (1, set())
    assert KeptAnswer.objects.get().status == 201


@here
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_while_a_request_is_carried_out_its_twin_is_told_to_come_again(staff):
    is_in, may_end = threading.Event(), threading.Event()

    def behave(_request):
        is_in.set()
        assert may_end.wait(20)
        return Response({"by": "the first"}, status=201)

    def first():
        try:
            return send(client_of(staff))
        finally:
            connection.close()

    DONE.behave = behave
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(first)
        try:
            assert is_in.wait(20)
            assert refusal(send(client_of(staff))) == (409, 1023)
            assert refusal(send(client_of(staff), data={"a": 2})) == (409, 1022)
        finally:
            may_end.set()
        answer = pending.result(20)

    again = send(client_of(staff))
    assert (again.content, again["Idempotent-Replayed"]) == (answer.content, "true")
    assert len(DONE.calls) == 1


# the platform's own addresses --------------------------------------------------------------------


def views(patterns, prefix=""):
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "cls"):
            yield address, pattern.callback.cls


def test_every_address_that_writes_takes_keys_but_that_which_has_its_own():
    writing = {
        address: cls
        for address, cls in views(get_resolver().url_patterns)
        if any(hasattr(cls, method) for method in ("post", "put", "patch", "delete"))
    }

    assert len(writing) > 30
    assert {a for a, cls in writing.items() if not issubclass(cls, AnswersOnce)} == {
        "api/accounts/<int:pk>/transfer"
    }


def test_the_api_document_shows_the_header():
    document = SchemaGenerator().get_schema(request=None, public=True)
    with_header = {
        (address, method): any(p["name"] == "Idempotency-Key" for p in operation["parameters"])
        if "parameters" in operation
        else False
        for address, operations in document["paths"].items()
        for method, operation in operations.items()
    }

    assert {(a, m) for (a, m), has in with_header.items() if not has and m != "get"} == {
        ("/api/auth/login", "post")
    }
    assert not any(has for (_, method), has in with_header.items() if method == "get")


@pytest.fixture
def venues(db):
    fakes = FakeVenues()
    with use_gateways(fakes.build):
        for code in ("alpha", "beta"):
            fakes.add(code, symbols=("BTC/USDT",), free={"BTC": "10", "USDT": "1000000"})
        yield fakes


@pytest.fixture
def body(venues):
    return {
        "name": "cross",
        "type": "cross-venue",
        "params": {"symbols": ["BTC/USDT"]},
        "accounts": list(VenueAccount.objects.order_by("pk").values_list("pk", flat=True)),
    }


def test_a_client_that_repeats_everything_does_everything_once(staff_api, body):
    def twice(address, data=()):
        first, again = (
            send(staff_api, key=address[-32:], address=address, data=dict(data)) for _ in "ab"
        )
        assert first.status_code in {200, 201}, first.json()
        assert (first.content, again["Idempotent-Replayed"]) == (again.content, "true")
        return again.json()["data"]

    pk = twice("/api/strategies", body)["id"]
    twice(f"/api/strategies/{pk}/start")
    twice("/api/risk/kill", {"reason": "drill"})
    twice(f"/api/strategies/{pk}/stop")

    assert (Strategy.objects.get().state, Run.objects.count()) == ("stopped", 1)
    assert TradingChange.objects.count() == 1


def test_a_double_click_without_a_key_is_refused_where_it_would_act_twice(staff_api, body):
    def twice(address, data=()):
        return [
            send(staff_api, key=None, address=address, data=dict(data)).json()["code"] for _ in "ab"
        ]

    assert twice("/api/strategies", body) == [0, 1001]  # the name is taken
    pk = Strategy.objects.get().pk
    assert twice(f"/api/strategies/{pk}/start") == [0, 5005]
    assert Run.objects.count() == 1
    assert twice(f"/api/strategies/{pk}/stop") == [0, 5006]
    assert (Strategy.objects.get().state, Run.objects.count()) == ("stopped", 1)
    assert twice("/api/risk/kill", {"reason": "drill"}) == [0, 0]
    assert TradingHalt.objects.get(level="global").state == "halted"


def test_a_person_who_leaves_takes_the_answers_along(staff, staff_api, body):
    send(staff_api, address="/api/strategies", data=body)
    assert KeptAnswer.objects.count() == 1

    get_user_model().objects.filter(pk=staff.pk).delete()

    assert not KeptAnswer.objects.exists()
