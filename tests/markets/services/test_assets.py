import pytest

from markets.models import Asset
from markets.services.assets import ensure_assets

pytestmark = pytest.mark.django_db


def test_missing_assets_are_made_and_known_ones_kept() -> None:
    btc = Asset.objects.create(code="BTC", name="Bitcoin")

    assets = ensure_assets(["ETH", "BTC", "ETH"])

    assert sorted(assets) == ["BTC", "ETH"]
    assert assets["BTC"] == btc
    assert Asset.objects.get(code="BTC").name == "Bitcoin"
    assert Asset.objects.count() == 2


def test_a_second_call_makes_nothing() -> None:
    first = ensure_assets(["BTC"])

    assert ensure_assets(["BTC"]) == first
    assert Asset.objects.count() == 1


def test_no_codes_are_no_assets() -> None:
    assert ensure_assets([]) == {}
