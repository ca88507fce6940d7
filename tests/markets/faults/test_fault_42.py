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

    session._translated(ccxt.DDoSProtection(LOCKOUT), Effect.READ, None)

    assert isinstance(catalog.limiter, RateLimiter)
    assert catalog.limiter.silent_ms() == pytest.approx(15 * 60_000, abs=1_000)
