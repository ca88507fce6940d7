"""Credentials among a venue's options are found at any depth; passwords of proxies are masked."""

from typing import Any

import pytest

from markets.domain.venue_options import (
    find_credentials,
    has_mask,
    list_secrets,
    mask_options,
    unmask_options,
)

PROXY = "http://user:p@ss:w0rd@proxy.example:3128"
MASKED = "http://user:***@proxy.example:3128"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"apiKey": "k", "SECRET": "s"}, ["SECRET", "apiKey"]),
        ({"options": {"api_key": "k"}}, ["options.api_key"]),
        ({"headers": {"Proxy-Authorization": "Basic x"}}, ["headers.Proxy-Authorization"]),
        ({"accounts": [{"secret": "s"}]}, ["accounts.0.secret"]),
        ({"requiredCredentials": {"uid": True, "apiKey": False}}, []),
        ({"commonCurrencies": {"UID": "UnitedIdentity", "TOKEN": "Chart"}}, []),
        ({"httpsProxy": PROXY, "rateLimit": 5, "options": {"password": ""}}, []),
    ],
)
def test_credentials_are_found_at_any_depth(options: dict[str, Any], names: list[str]) -> None:
    assert find_credentials(options) == names


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"httpsProxy": PROXY}, {"httpsProxy": MASKED}),
        ({"proxies": {"http": PROXY}}, {"proxies": {"http": MASKED}}),
        ({"list": [PROXY, 1]}, {"list": [MASKED, 1]}),
        ({"proxy": "user:pass@proxy:1"}, {"proxy": "user:***@proxy:1"}),
        ({"socksProxy": "socks5://:pass@proxy"}, {"socksProxy": "socks5://:***@proxy"}),
        ({"options": {"secret": "s"}, "uid": 7}, {"options": {"secret": "***"}, "uid": "***"}),
        ({"commonCurrencies": {"UID": "X"}}, {"commonCurrencies": {"UID": "X"}}),
        (
            {"httpProxy": "http://proxy:3128", "rateLimit": 5, "x": None, "y": True},
            {"httpProxy": "http://proxy:3128", "rateLimit": 5, "x": None, "y": True},
        ),
    ],
)
def test_what_nobody_is_to_read_is_masked_and_comes_back(
    options: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert mask_options(options) == shown
    assert unmask_options(shown, options) == options


def test_what_was_not_changed_beside_a_change_stays_as_it_is() -> None:
    kept = {"proxies": {"http": PROXY, "https": PROXY}, "rateLimit": 5}
    sent = {"proxies": {"http": MASKED, "https": "http://other"}, "new": 1}

    changed = unmask_options(sent, kept)

    assert changed == {"proxies": {"http": PROXY, "https": "http://other"}, "new": 1}


def test_a_password_does_not_go_along_to_another_address() -> None:
    sent = {"httpsProxy": "http://user:***@elsewhere.example:3128"}

    changed = unmask_options(sent, {"httpsProxy": PROXY})

    assert changed == sent
    assert has_mask(changed)
    assert not has_mask({"httpsProxy": PROXY, "note": "***"})


def test_all_that_is_secret_is_listed() -> None:
    options = {"httpsProxy": PROXY, "options": {"secret": "s"}, "rateLimit": 5}

    assert sorted(list_secrets(options)) == ["p@ss:w0rd", "s"]
