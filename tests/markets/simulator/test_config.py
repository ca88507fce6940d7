"""What a configuration may say, and how a wrong one is told."""

import copy
import json
from decimal import Decimal

import pytest

from arbplatform.core.errors import InvalidInput
from markets.simulator.config import load_config, parse_config
from markets.simulator.demo import DEMO_VENUES, demo_config, replay_config
from tests.markets.simulator.worlds import two_venues


def changed(path, value):
    """Return a valid configuration in which one thing is different; ``...`` takes it away."""
    config = copy.deepcopy(two_venues())
    *parents, last = path
    where = config
    for part in parents:
        where = where[part]
    if value is ...:
        del where[last]
    else:
        where[last] = value
    return config


MAKERS = {"prices": {"BTC": "60000", "ETH": "3000", "USDT": "1"}}
REPLAY = {"path": "x.jsonl", "exchange": "EX1", "symbol": "BTC/USDT"}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (["venues"], [], "venues: Tuple should have at least 1 item"),
        (["venues", 0, "code"], ..., "venues.0.code: Field required"),
        (["venues", 0, "code"], "Not OK", "venues.0.code: String should match pattern"),
        (["venues", 0, "code"], "beta", "beta is given as venue code more than once"),
        (["venues", 0, "latency_ms"], -1, "venues.0.latency_ms: Input should be greater"),
        (["venues", 0, "assets"], ["BTC", "BTC"], "BTC is given as asset more than once"),
        (["venues", 0, "assets"], ["BTC", "USDT"], "ETH/BTC names ETH, which is not listed"),
        (["venues", 0, "surprise"], 1, "venues.0.surprise: Extra inputs are not permitted"),
        (["venues", 0, "markets", 0, "tick"], "0", "markets.0.tick: Input should be greater"),
        (["venues", 0, "markets", 0, "tick"], "1e-16", "finer than 18 decimal places"),
        (["venues", 0, "markets", 0, "symbol"], "BTCUSDT", "is not a spot symbol"),
        (["venues", 0, "markets", 0, "symbol"], "ETH/BTC", "ETH/BTC is given as symbol more"),
        (["venues", 0, "markets", 0, "taker_fee"], "0.2", "taker_fee: Input should be less"),
        (["venues", 0, "markets", 0, "maker_fee"], "0.000000001", "no more than 8 decimal"),
        (["venues", 0, "accounts", 1, "label"], "ours", "ours is given as account label more"),
        (["venues", 0, "accounts", 1, "api_key"], "key-alpha", "one is given as api_key more"),
        (["venues", 0, "accounts", 0, "balances"], {"spot": {"XRP": "1"}}, "names XRP"),
        (["venues", 0, "accounts", 0, "balances"], {"spot": {"BTC": "-1"}}, "greater than or"),
        (["venues", 0, "accounts", 0, "permissions"], ["fly"], "permissions.0: Input should be"),
        (["venues", 0, "makers"], {"prices": {"BTC": "1"}}, "makers.prices names ETH"),
        (["venues", 0, "replay"], REPLAY | {"symbol": "SOL/USDT"}, "SOL/USDT is not a market"),
        (["settlement", "delay_ms"], -1, "settlement.delay_ms: Input should be greater"),
        (["seed"], "x", "seed: Input should be a valid integer"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(path, value, text):
    with pytest.raises(InvalidInput) as refused:
        parse_config(changed(path, value))

    message = str(refused.value)
    assert text in message
    assert "\n" not in message
    assert "secret" not in message


def test_a_venue_has_makers_or_a_replay_but_not_both():
    config = changed(["venues", 0, "makers"], MAKERS)
    config["venues"][0]["replay"] = REPLAY

    with pytest.raises(InvalidInput, match="either makers or replay, not both"):
        parse_config(config)


def test_replays_of_one_file_must_be_played_alike():
    config = two_venues()
    for venue, speed in zip(config["venues"], (1, 2), strict=True):
        venue["replay"] = REPLAY | {"speed": speed}

    with pytest.raises(InvalidInput, match=r"x\.jsonl is replayed in two ways"):
        parse_config(config)


def test_venues_must_agree_on_fair_prices():
    config = two_venues()
    for venue, price in zip(config["venues"], ("1", "2"), strict=True):
        venue["makers"] = {"prices": MAKERS["prices"] | {"BTC": price}}

    with pytest.raises(InvalidInput, match="different prices for BTC"):
        parse_config(config)


def test_a_file_is_read_exactly_and_the_seed_can_be_replaced(tmp_path):
    path = tmp_path / "config.json"
    config = changed(["venues", 0, "markets", 0, "tick"], 0.1)
    path.write_text(json.dumps(config))

    read = load_config(path, seed=99)

    assert read.seed == 99
    assert read.venues[0].markets[0].tick == Decimal("0.1")


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "cannot be read"), ("{", "is not JSON"), ("[]", "is not valid: the file")],
)
def test_a_file_that_is_no_configuration_is_told(tmp_path, content, text):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(InvalidInput, match=text):
        load_config(path)


def test_a_configuration_survives_the_way_to_a_file_and_back(tmp_path):
    keys = {code: (f"key-{code}", f"secret-{code}") for code in DEMO_VENUES}
    config = demo_config(seed=7, keys=keys)
    path = tmp_path / "config.json"
    path.write_text(config.to_json())

    assert load_config(path) == config


def test_the_demo_has_three_venues_with_one_funded_account_each():
    config = demo_config(seed=7, keys={code: (code, "secret") for code in DEMO_VENUES})

    assert [venue.code for venue in config.venues] == ["alpha", "beta", "gamma"]
    for venue in config.venues:
        assert {market.symbol for market in venue.markets} == {
            "BTC/USDT",
            "ETH/USDT",
            "SOL/USDT",
            "ETH/BTC",
            "SOL/BTC",
        }
        [account] = venue.accounts
        assert account.balances.spot == {
            "USDT": Decimal(100_000),
            "BTC": Decimal(2),
            "ETH": Decimal(30),
            "SOL": Decimal(300),
        }


def test_secrets_are_not_in_the_representation():
    config = parse_config(two_venues())

    assert "secret-alpha" not in repr(config)
    assert "key-alpha" not in repr(config)


def test_the_recorded_pair_has_one_market_in_brl(tmp_path):
    config = replay_config(
        tmp_path / "x.jsonl", keys={"ex1": ("a", "b"), "ex2": ("c", "d")}, count=5
    )

    assert [venue.code for venue in config.venues] == ["ex1", "ex2"]
    assert {market.symbol for venue in config.venues for market in venue.markets} == {"BTC/BRL"}
    assert all(venue.replay is not None and venue.replay.count == 5 for venue in config.venues)
