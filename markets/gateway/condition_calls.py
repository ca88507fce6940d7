"""The calls of the port that are about the venue itself: its clock and its state."""

from markets.domain.clocks import ClockReading
from markets.domain.health import Signal, VenueHealth, VenueState
from markets.gateway import answers
from markets.gateway.error_map import Effect
from markets.gateway.session import Session


class ConditionCalls:
    """What a gateway asks, and is told, about its venue's condition."""

    _session: Session

    def heed_clock(self, reading: ClockReading | None) -> None:
        """Go by a measured offset of the venue's clock if it is newer than what is known here."""
        if reading is not None:
            self._session.catalog.heed_clock(reading)

    def heed_health(self, health: VenueHealth | None) -> None:
        """Go by how all processes take the venue to be, if that is newer than what is known."""
        if health is not None:
            self._session.catalog.pulse.heed(health.state, health.since_ms)

    def keep_warm(self) -> None:
        """Keep connections to the venue open for the next minutes; nothing waits for that."""
        self._session.catalog.warmer.want()

    def fetch_status(self) -> VenueState:
        """Return what the venue says about itself: healthy or under maintenance."""
        with self._session.call(Effect.READ) as client:
            self._session.need(client, "fetchStatus")
            word = answers.require_mapping(client.fetch_status(), "status").get("status")
            if word == "ok":
                return VenueState.HEALTHY
            self._session.catalog.pulse.note(Signal.MAINTENANCE, str(word))
            return VenueState.MAINTENANCE

    def fetch_time_ms(self) -> int:
        """Return the venue's clock [ms since epoch]."""
        with self._session.call(Effect.READ) as client:
            self._session.need(client, "fetchTime")
            return int(answers.need_number(client.fetch_time(), "time"))

    def set_dead_man_switch(self, delay_ms: int) -> None:
        """Let the venue cancel all orders of the account after a delay; 0 disarms.

        Repeating it is harmless: the delay begins anew.

        Args:
            delay_ms: how long from now [ms].
        """
        with self._session.call(Effect.CANCEL) as client:
            self._session.need(client, "cancelAllOrdersAfter")
            answer = self._session.timed(client, lambda: client.cancel_all_orders_after(delay_ms))
            answers.require_mapping(answer, "delay")
