"""A process that asks one venue for its time as often as its rate budget lets it.

It does so for a span, and on a slow machine until it was answered a few times.
"""

import json
import sys
import time

from markets.errors import VenueRateLimited
from markets.gateway import budget, factory
from markets.gateway.base import VenueSpec


def main() -> None:
    redis_url, rest_origin, unit_ms, span_s, few = sys.argv[1:]
    budget.TIMEOUT_S = 30.0  # type: ignore[misc]  # a Redis that is slow is not away here
    factory.configure(timeout_ms=5_000, redis_url=redis_url)
    options = {"enableRateLimit": True, "rateLimit": float(unit_ms)}
    gateway = factory.gateway_for(VenueSpec("alpha", "binance", rest_origin, options=options))
    gateway.fetch_time_ms()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sent, kept, began_s = 0, 0, time.monotonic()
    while time.monotonic() < began_s + float(span_s) or sent < int(few):
        try:
            gateway.fetch_time_ms()
            sent += 1
        except VenueRateLimited:
            kept += 1
            time.sleep(0.05)
    told = {"sent": sent, "kept": kept, "began_s": began_s, "ended_s": time.monotonic()}
    sys.stdout.write(json.dumps(told) + "\n")
    factory.close_all()


if __name__ == "__main__":
    main()
