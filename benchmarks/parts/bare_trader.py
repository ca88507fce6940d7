"""What cannot be left out between a book and two orders: ccxt.pro and ccxt, and no platform.

``python -m benchmarks.parts.bare_trader URL SYMBOL BUY_AT SELL_AT``: watches the books of a symbol
at two simulated venues and, once for each time that the prices cross, sends both legs at once.
"""

import asyncio
import sys
from typing import Any

import ccxt.pro
import uvloop

from benchmarks.parts.processes import outlive_interrupts
from benchmarks.parts.venues import BARE

EDGE = 1.003
"""So much more must the dear venue bid than the cheap one asks."""
QUANTITY = 0.01


def open_client(url: str, code: str) -> Any:
    """Return ccxt's client of a simulated venue."""
    client = ccxt.pro.binance(
        {"apiKey": f"{BARE}-{code}", "secret": f"secret-{BARE}-{code}", "enableRateLimit": False}
    )
    client.options |= {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}
    client.options |= {"fetchCurrencies": False, "fetchMargins": False}
    sockets = client.urls["api"].pop("ws")
    client.urls["api"] = lead_to(f"{url}/{code}", client.urls["api"])
    client.urls["api"]["ws"] = lead_to(f"{url.replace('http', 'ws')}/{code}", sockets)
    return client


def lead_to(base: str, urls: Any) -> Any:
    """Return addresses that lead to ``base``, whatever the exchange's own host is."""
    if isinstance(urls, dict):
        return {name: lead_to(base, each) for name, each in urls.items()}
    if not isinstance(urls, str):
        return urls
    _scheme, _slashes, rest = urls.partition("://")
    return f"{base}/{rest.partition('/')[2]}"


async def trade(url: str, symbol: str, *codes: str) -> None:
    """Buy at the first and sell at the second whenever that begins to pay."""
    clients = {code: open_client(url, code) for code in codes}
    cheap, dear = clients.values()
    is_armed = True

    async def watch(client: Any) -> None:
        nonlocal is_armed
        while True:
            await client.watch_order_book(symbol)
            asks, bids = (
                one.orderbooks.get(symbol, {}).get(side)
                for one, side in ((cheap, "asks"), (dear, "bids"))
            )
            if not asks or not bids:
                continue
            ask, bid = asks[0][0], bids[0][0]
            if bid < ask * EDGE:
                is_armed = True
            elif is_armed:
                is_armed = False
                now = {"timeInForce": "IOC"}
                await asyncio.gather(
                    cheap.create_order(symbol, "limit", "buy", QUANTITY, ask, now),
                    dear.create_order(symbol, "limit", "sell", QUANTITY, bid, now),
                )

    try:
        await asyncio.gather(*(client.load_markets() for client in clients.values()))
        await asyncio.gather(*(watch(client) for client in clients.values()))
    finally:
        await asyncio.gather(*(client.close() for client in clients.values()))


def main() -> None:
    """Trade until somebody ends it."""
    outlive_interrupts()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(trade(*sys.argv[1:]))


if __name__ == "__main__":
    main()
