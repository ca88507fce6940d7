"""A temporary lock-out is a ban: each further request would make it longer."""

import ccxt
import pytest

from markets.errors import VenueRateLimited
from markets.gateway.base import Credentials, VenueSpec
from markets.gateway.catalog import Catalog
from markets.gateway.error_map import Effect, translate
from markets.gateway.limiter import RateLimiter
from markets.gateway.quirks import quirks_for
from markets.gateway.session import Session

LOCKOUT = 'kraken {"error":["EGeneral:Temporary lockout"]}'


@pytest.mark.parametrize("effect", list(Effect))
def test_a_lock_out_is_a_definite_refusal(effect):
    error = translate(ccxt.DDoSProtection(LOCKOUT), effect, "v", quirks=quirks_for("kraken"))

    assert type(error) is VenueRateLimited


def test_a_lock_out_silences_the_venue_for_a_quarter_of_an_hour():
    spec = VenueSpec("v", "kraken", "http://127.0.0.1:1/x", options={"enableRateLimit": True})
    catalog = Catalog(spec, timeout_ms=1)
    session = Session(spec, Credentials("key", "c2VjcmV0"), catalog)
    limiter = catalog.limiter
    assert isinstance(limiter, RateLimiter)
    before_ms = limiter._now_ms()

    session._translated(ccxt.DDoSProtection(LOCKOUT), Effect.READ, None)

    span_ms = limiter._silent_until_ms - before_ms
    assert 15 * 60_000 <= span_ms <= 15 * 60_000 + limiter._now_ms() - before_ms
