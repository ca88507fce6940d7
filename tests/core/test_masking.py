"""Secrets in texts are masked: known ones wherever they stand, others by how they look."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbplatform.core import masking
from arbplatform.core.masking import know_secret, redact

SECRET = "pl4nt3d0/S3cret+Value=="
WEBHOOK = "https://open.feishu.cn/open-apis/bot/v2/hook/0c1d2e3f-aaaa-bbbb-cccc-0123456789ab"
TELEGRAM = "https://api.telegram.org/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage"
PEM = f"-----BEGIN PRIVATE KEY-----\n{'MIGHAgEAMBMGByqGSM49'}\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"The key {SECRET} is not valid.", "The key *** is not valid."),
        (f"prefix{SECRET}suffix", "prefix***suffix"),
        (f"GET /v1?x={quote(SECRET, safe='')}&y=1", "GET /v1?x=***&y=1"),
        (f"GET /v1?x={quote(SECRET)}&y=1", "GET /v1?x=***&y=1"),
        (json.dumps({"said": SECRET}), '{"said": "***"}'),
        (json.dumps({"said": SECRET}).replace("/", "\\/"), '{"said": "***"}'),
        (json.dumps(SECRET.replace("/", "\\/")), '"***"'),
        ("nothing of it", "nothing of it"),
    ],
)
def test_a_known_secret_is_masked_wherever_it_stands(text, shown):
    know_secret(SECRET)

    assert redact(text) == shown


def test_a_secret_that_nobody_has_read_is_masked_by_its_look_only():
    assert redact(f"The key {SECRET} is not valid.") == f"The key {SECRET} is not valid."


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (WEBHOOK, "POST /open-apis/bot/v2/hook/0c1d2e3f-aaaa-bbbb-cccc-0123456789ab: 404"),
        (TELEGRAM, "bot AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw is not known"),
        (PEM, "cannot load MIGHAgEAMBMGByqGSM49 as a key"),
    ],
)
def test_the_part_of_an_address_or_key_that_is_secret_is_masked_by_itself(secret, said):
    know_secret(secret)

    assert redact(said).count("***") == 1
    assert not any(piece in redact(said) for piece in ("0c1d2e3f", "AAHdqTcv", "MIGHAgEA"))


def test_the_host_of_an_address_is_no_secret():
    know_secret(WEBHOOK)

    assert redact("open.feishu.cn did not answer") == "open.feishu.cn did not answer"


@pytest.mark.parametrize("weak", ["", "short1", "trading", "holdings", "20261126", "a b c d e f g"])
def test_a_secret_that_is_an_ordinary_word_or_number_blackens_no_others(weak):
    know_secret(weak)

    text = "trading of holdings short1 ended on 20261126: a b c d e f g"
    assert redact(text) == text


def test_of_more_secrets_than_are_remembered_the_oldest_are_forgotten(monkeypatch):
    monkeypatch.setattr(masking, "KNOWN_MAX", 2)
    for number in (1, 2, 3):
        know_secret(f"secret-number-{number}")

    said = "secret-number-1 secret-number-2 secret-number-3"
    assert redact(said) == "secret-number-1 *** ***"


def test_nothing_is_left_of_a_secret_that_is_forgotten(monkeypatch):
    monkeypatch.setattr(masking, "KNOWN_MAX", 1)
    for number in range(20):
        know_secret(f"{number}-secret-{number}")

    assert list(masking._KNOWN._by_head) == ["19-secre"]


def test_the_longer_of_two_secrets_is_masked_as_a_whole():
    know_secret("planted0")
    know_secret("planted0-and-more")

    assert redact("planted0-and-more, planted0") == "***, ***"


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=64),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_text_around_a_known_secret_lets_it_through(secret, before, after):
    know_secret(secret)

    assert secret not in redact(f"{before}{secret}{after}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It refuses the token: abc123. Try again.", "It refuses the token: ***. Try again."),
        ("Is it signature=abc123? No!", "Is it signature=***? No!"),
        ("token abc, secret=a.b.c...", "token abc, secret=***..."),
        ("不接受 token: abc123。请稍后再试。", "不接受 token: ***。请稍后再试。"),
        ("Authorization: Bearer abc.def.", "Authorization: ***."),
        ("secret=abc: what now", "secret=***: what now"),
    ],
)  # fmt: skip
def test_a_sentence_stays_whole_around_a_secret(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        r'{"body": "{\"api_secret\": \"pl4nt3d\", \"code\": 1}"}',
        r'{"secret": "a\"pl4nt3d", "x": 1}',
        '{"api_secret": "pl4nt3d and then it was cut',
        "passphrase='pl4nt3d",
        "Location: https://v.example/cb?next=%2Fa%3Fsignature%3Dpl4nt3d",
        "https://api.huobi.pro/v1/x?AccessKeyId=pl4nt3d&SignatureVersion=2",
        "X-BAPI-SIGN: pl4nt3d",
        "'API-Sign': 'pl4nt3d'",
        "privateKey=pl4nt3d",
        '{"listenKey":"pl4nt3d"}',
        "postgres://arb:p@pl4nt3d@db/arb",
        "postgres://arb:a/pl4nt3d@db/arb",
        "http://user:12345pl4nt3d@proxy.example:3128",
        "redis://:pl4nt3d@127.0.0.1:6379/0",
    ],
)
def test_whatever_looks_like_a_secret_is_masked(text):
    assert "pl4nt3d" not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8000/admin/ belongs to ann@example.com",
        "http://127.0.0.1:8000/?next=ann@example.com",
        "key opening:7 was booked",
        "The session has ended, the token bucket is empty",
        "passed: 7 of 7, signals: none",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


def test_a_text_that_is_made_to_be_slow_to_search_is_searched_quickly():
    text = "token " + "a-" * 20_000 + "secret" * 5_000

    assert redact(text) == text  # of a pattern that looks again from every word: minutes
