"""A process that reads an account's balances again and again, with a clock of its own."""

import sys

import ccxt

from markets.gateway import budget, factory
from markets.gateway.base import Credentials, VenueSpec


def main() -> None:
    redis_url, rest_origin, key, secret, count, ahead_ms = sys.argv[1:]
    told = ccxt.Exchange.milliseconds
    ccxt.Exchange.milliseconds = staticmethod(lambda: told() + int(ahead_ms))
    budget.TIMEOUT_S = 30.0  # type: ignore[misc]  # a Redis that is slow is not away here
    factory.configure(timeout_ms=10_000, redis_url=redis_url)
    spec = VenueSpec("kraken-like", "kraken", rest_origin, options={"enableRateLimit": False})
    gateway = factory.gateway_for(spec, Credentials(key, secret))
    gateway.fetch_time_ms()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for _ in range(int(count)):
        gateway.fetch_balances()
    factory.close_all()


if __name__ == "__main__":
    main()
