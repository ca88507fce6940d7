"""ccxt as the gateway loads it, in processes of its own: in this one it may be there already."""

import json
import subprocess
import sys

from django.conf import settings

LEAN = "import markets.gateway\n"
EVERYTHING = """
import json, ccxt, ccxt.async_support, ccxt.pro
print(json.dumps({
    f"{package.__name__}.{name}": str(getattr(package, name)).split(" at ")[0]
    for package in (ccxt, ccxt.async_support, ccxt.pro)
    for name in {*getattr(package, "__all__", ()), *package.exchanges, "exchanges", "__version__"}
}))
"""
ALIAS_FIRST = """
import json, ccxt.pro
alias, original = ccxt.pro.binanceus, ccxt.pro.binance
print(json.dumps([
    issubclass(alias, original),
    issubclass(original, ccxt.async_support.binance),
    ccxt.pro.binance is original,
]))
"""
NAMES = """
import json, sys, ccxt.pro
unknown = [hasattr(package, "nowhere") for package in (ccxt, ccxt.async_support, ccxt.pro)]
import ccxt.kraken
from ccxt.pro import okx
print(json.dumps([
    unknown, ccxt.kraken.__name__, okx.__module__,
    sorted(f"{package}.{name}" for package in ("ccxt", "ccxt.async_support", "ccxt.pro")
           for name in ccxt.exchanges if f"{package}.{name}" in sys.modules),
]))
"""


def told(code):
    """Return the JSON that ``code`` prints in a new process."""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, check=True
    )
    return json.loads(ended.stdout)


def test_everything_that_ccxt_offers_is_there_and_the_same():
    whole, lean = told(EVERYTHING), told(LEAN + EVERYTHING)

    assert len(whole) > 300
    assert lean == whole


def test_a_class_that_another_one_has_loaded_is_found_as_a_class():
    assert told(LEAN + ALIAS_FIRST) == [True, True, True]


def test_only_what_is_asked_for_is_loaded_and_what_is_not_there_is_not_found():
    unknown, rest, stream, loaded = told(LEAN + NAMES)

    assert unknown == [False, False, False]
    assert (rest, stream) == ("kraken", "ccxt.pro.okx")
    assert loaded == ["ccxt.async_support.okx", "ccxt.kraken", "ccxt.pro.okx"]
