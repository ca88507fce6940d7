"""How late an order arrives at a venue that closed its connections, and the other leg does not.

Two legs leave at the same moment, one to a venue that closes connections after 0.6 s of silence,
one to a venue that closes none; between two pairs of orders there is more than a second. Both are
simulated venues behind TLS 1.3, with a round trip of 0, 10 and 50 ms put in between (connecting
takes one, as over a network). Measured is the time until the order has come to the venue, and how
far apart both legs come: with connections that are kept warm, and, in turn with them, with
connections that the order opens. The clients check, sign and send as in the product; rows are not
written.

Time runs faster here than in the product: connections are asked after 0.25 s of silence instead of
15 s, as venues close them after a minute or more.

Usage: ``python -m benchmarks.warm_orders [--pairs 12]``. Target: both three times less at 10 and
50 ms.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.parts.far_venue import FarVenue, make_certificate
from benchmarks.parts.results import Row, report, times_better
from benchmarks.parts.scripts import make_parser, run_script
from markets.domain.orders import OrderRequest, Side
from markets.gateway import factory, warming
from markets.gateway.base import Credentials, VenueSpec
from markets.simulator.demo import demo_config
from markets.simulator.running import start_in_thread

ROUND_TRIPS_MS = (0, 10, 50)
IDLE_S = {"alpha": 0.6, "beta": 600.0}
PAUSE_S = 1.1
WARM_COUNT = 3
TIMES_SOONER_MIN = 3
COLD = "opened by the order"
NUMBERS = count()


class Legs:
    """An account at each of both venues, whose orders leave together.

    Args:
        venues: by code.
        name: sets its gateways apart from those of others.
        warm_count: connections that are kept open.
    """

    def __init__(self, venues: dict[str, FarVenue], name: str, warm_count: int) -> None:
        factory.configure(timeout_ms=factory.TIMEOUT_MS, warm_count=warm_count)
        self._venues = venues
        self._gateways: dict[str, Any] = {
            code: factory.gateway_for(
                VenueSpec(f"{code}-{name}", "binance", f"{venue.url}/{code}"),
                Credentials(code, code),
            )
            for code, venue in venues.items()
        }
        self._threads = ThreadPoolExecutor(len(venues))
        self.keep_warm()
        self.send()  # loads the markets

    def keep_warm(self) -> None:
        """Say that orders could follow."""
        for gateway in self._gateways.values():
            gateway.keep_warm()

    def send(self) -> tuple[float, float]:
        """Send both legs; return when the first venue's came and how far apart both did [ms]."""
        start = threading.Barrier(len(self._gateways) + 1)
        sent = [self._threads.submit(self._send, each, start) for each in self._gateways.values()]
        start.wait()
        began_s = time.perf_counter()
        for each in sent:
            each.result()
        came_ms = [(each.pop_order_s() - began_s) * 1_000 for each in self._venues.values()]
        return came_ms[0], abs(came_ms[0] - came_ms[1])

    def _send(self, gateway: Any, start: threading.Barrier) -> None:
        request = OrderRequest(
            "BTC/USDT",
            Side.BUY,
            Decimal("0.0002"),
            f"bench-{next(NUMBERS)}",
            price=Decimal(61_000),
        )
        start.wait()
        gateway.submit_order(request)


@contextmanager
def far_venues(port: int, certificate: Path, round_trip_ms: float) -> Iterator[dict[str, FarVenue]]:
    """Open both venues and close all connections to them afterwards."""
    with ExitStack() as stack:
        venues = {}
        for code, idle_s in IDLE_S.items():
            venue = FarVenue(port, certificate, round_trip_ms=round_trip_ms, idle_s=idle_s)
            stack.callback(venue.close)
            venues[code] = venue
        stack.callback(factory.close_all)
        yield venues


def measure(venues: dict[str, FarVenue], pairs: int) -> list[list[tuple[float, float]]]:
    """Return what was found with warm connections and without, in turns."""
    warm, cold = Legs(venues, "warm", WARM_COUNT), Legs(venues, "cold", 0)
    found: list[list[tuple[float, float]]] = [[], []]
    for _pair in range(pairs):
        warm.keep_warm()
        time.sleep(PAUSE_S)
        for legs, rows in zip((warm, cold), found, strict=True):
            rows.append(legs.send())
    return found


def rows_of(round_trip_ms: int, found: list[list[tuple[float, float]]]) -> list[Row]:
    """Return the medians beside each other."""
    rows = []
    for place, what in enumerate(("order at the venue", "second leg after the first")):
        ours, theirs = (statistics.median(row[place] for row in rows) for rows in found)
        name = f"{what}, round trip {round_trip_ms} ms: p50"
        if round_trip_ms:
            rows.append(
                times_better(
                    *(name, ours, "ms", TIMES_SOONER_MIN),
                    reference=theirs,
                    reference_name=COLD,
                    is_cost=True,
                )
            )
        else:
            rows.append(
                Row(name, ours, "ms", reference=theirs, reference_name=COLD, ratio=theirs / ours)
            )
    return rows


def main() -> int:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--pairs", type=int, default=12)
    options = parser.parse_args()
    warming.EVERY_MS, warming.LOOK_S = 250, 0.05  # type: ignore[misc]  # as venues are in haste too
    keys = {code: (code, code) for code in ("alpha", "beta", "gamma")}
    rows = []
    with (
        tempfile.TemporaryDirectory() as directory,
        start_in_thread(demo_config(seed=1, keys=keys), Path(directory)) as simulator,
    ):
        certificate = make_certificate(Path(directory))
        for round_trip_ms in ROUND_TRIPS_MS:
            with far_venues(simulator.port, certificate, round_trip_ms) as venues:
                pairs = 2 if options.quick else options.pairs
                rows += rows_of(round_trip_ms, measure(venues, pairs))
    return report(rows)


if __name__ == "__main__":
    run_script(main)
