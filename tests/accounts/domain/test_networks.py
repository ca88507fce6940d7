"""Which networks need a tag."""

import pytest

from accounts.domain.networks import needs_tag


@pytest.mark.parametrize(
    ("asset", "network", "expected"),
    [
        ("XRP", "", True),
        ("XRP", "XRP", True),
        ("XRP", "BEP20", False),
        ("xlm", "", True),
        ("USDT", "ton", True),
        ("USDT", "", False),
        ("BTC", "", False),
        ("BTC", "BTC", False),
    ],
)
def test_a_tag_is_needed_by_network_and_else_by_asset(asset, network, expected):
    assert needs_tag(asset=asset, network=network) is expected
