"""A process that asks one venue for its time as often as its rate budget lets it."""

import json
import sys
import time

from markets.errors import VenueRateLimited
from markets.gateway import factory
from markets.gateway.base import VenueSpec


def main() -> None:
    redis_url, rest_origin, unit_ms, span_s = sys.argv[1:]
    factory.configure(timeout_ms=5_000, redis_url=redis_url)
    options = {"enableRateLimit": True, "rateLimit": float(unit_ms)}
    gateway = factory.gateway_for(VenueSpec("alpha", "binance", rest_origin, options=options))
    gateway.fetch_time_ms()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sent, kept, until = 0, 0, time.monotonic() + float(span_s)
    while time.monotonic() < until:
        try:
            gateway.fetch_time_ms()
            sent += 1
        except VenueRateLimited:
            kept += 1
            time.sleep(0.05)
    sys.stdout.write(json.dumps({"sent": sent, "kept": kept}) + "\n")
    factory.close_all()


if __name__ == "__main__":
    main()
