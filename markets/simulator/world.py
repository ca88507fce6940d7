"""A whole simulation: venues that share one clock, one fair price and one network between them."""

from random import Random

from arbplatform.core.clock import SYSTEM_CLOCK, Clock
from markets.simulator.config import SimulatorConfig
from markets.simulator.faults.file import FaultsByVenue, planned_for
from markets.simulator.faults.plan import FaultPlan
from markets.simulator.makers import FairPrices, Makers
from markets.simulator.protocol.listen_keys import ListenKeys
from markets.simulator.replay import OpenSession, Replay, VenueReplay
from markets.simulator.settlement import Settlement
from markets.simulator.venue import Recorder, Venue


class World:
    """Everything that is simulated.

    Attributes:
        config: as read.
        clock: the time of all venues.
        venues: by code.
        makers: by venue code.
        replays: by venue code; venues that show the same file share one.
        faults: by venue code.
        listen_keys: names of user data streams.
        settlement: what is on its way between the venues.

    Args:
        recorder: where facts about customers are written; ``None`` for nowhere.
        faults: more of them, by venue code, beside those of the configuration.
        open_session: reads recorded sessions of feeds; ``None``: they cannot be shown.

    Raises:
        InvalidInput: a file of faults or a recording cannot be used.
    """

    def __init__(
        self,
        config: SimulatorConfig,
        *,
        clock: Clock = SYSTEM_CLOCK,
        recorder: Recorder | None = None,
        faults: FaultsByVenue | None = None,
        open_session: OpenSession | None = None,
    ) -> None:
        self.config = config
        self.clock = clock
        self.faults = {
            venue.code: FaultPlan(
                [*planned_for(venue, config.venues), *(faults or {}).get(venue.code, ())],
                self._random_of(f"faults:{venue.code}"),
                clock,
            )
            for venue in config.venues
        }
        self.venues = {
            venue.code: Venue(venue, clock, recorder, self.faults[venue.code])
            for venue in config.venues
        }
        self.listen_keys = ListenKeys()
        self.settlement = Settlement(
            self.venues.values(),
            delay_ms=config.settlement.delay_ms,
            network_fees=config.settlement.network_fees,
        )
        self.makers = self._hire_makers()
        self.replays = self._open_replays(open_session)

    def start(self) -> None:
        """Fill the books for the first time.

        Raises:
            InvalidInput: a recording cannot be read.
        """
        now_ms = self.clock.now_ms()
        for makers in self.makers.values():
            makers.start(now_ms)
        for replay in self.distinct_replays():
            replay.begin()

    def distinct_replays(self) -> list[Replay]:
        """Return every recording once."""
        return list({id(replay): replay for replay in self.replays.values()}.values())

    def _hire_makers(self) -> dict[str, Makers]:
        prices: dict[str, float] = {}
        volatility_bps = 0.0
        for venue in self.config.venues:
            if venue.makers is None:
                continue
            volatility_bps = max(volatility_bps, venue.makers.volatility_bps)
            prices |= {asset: float(price) for asset, price in venue.makers.prices.items()}
        fair = FairPrices(prices, volatility_bps, Random(f"{self.config.seed}"))  # noqa: S311
        return {
            code: Makers(venue, venue.config.makers, fair, self._random_of(code))
            for code, venue in self.venues.items()
            if venue.config.makers is not None
        }

    def _random_of(self, code: str) -> Random:
        return Random(f"{self.config.seed}:{code}")  # noqa: S311 - repeatable on purpose

    def _open_replays(self, open_session: OpenSession | None) -> dict[str, Replay]:
        by_path: dict[str, Replay] = {}
        opened: dict[str, Replay] = {}
        for code, venue in self.venues.items():
            config = venue.config.replay
            if config is None:
                continue
            if config.path not in by_path:
                by_path[config.path] = Replay(config, open_session)
            replay = by_path[config.path]
            replay.join(VenueReplay(venue, config))
            opened[code] = replay
        return opened
