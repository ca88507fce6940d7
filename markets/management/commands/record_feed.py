"""``manage.py record_feed``: write down what venues say about their books."""

from datetime import UTC
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from arbplatform.commands import TerminalCommand
from arbplatform.core.errors import ArbError
from markets.domain.feeds import FeedState
from markets.gateway.base import VenueSpec
from markets.selectors import find_market, get_venue
from markets.services.recordings import RecordingReport, record_feeds

SECONDS_MAX = 7 * 86_400
MEBIBYTE = 2**20


class Command(TerminalCommand):
    """Records a session, which simulated venues can replay and playbacks can read."""

    help = "Record the order books of live feeds into a session of compressed files."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--venue", action="append", required=True, help="code; may be repeated")
        parser.add_argument("--symbol", action="append", required=True, help="may be repeated")
        parser.add_argument("--seconds", type=float, required=True, help="how long")
        parser.add_argument("--dir", type=Path, help="of the session; one that is there goes on")

    def handle(self, *_: Any, **options: Any) -> None:
        """Record until the time is over, or until SIGINT or SIGTERM.

        Raises:
            CommandError: in one sentence, when nothing can be recorded.
        """
        seconds = options["seconds"]
        if not 0 < seconds <= SECONDS_MAX:
            raise CommandError(f"--seconds must be above 0 and at most {SECONDS_MAX}.")
        directory = options["dir"] or _new_directory()
        try:
            wanted = _wanted(options["venue"], options["symbol"])
            report = self._record(wanted, directory, seconds)
        except ArbError as error:
            raise CommandError(str(error)) from None
        self._say(report, directory)

    def _record(
        self, wanted: dict[VenueSpec, list[str]], directory: Path, seconds: float
    ) -> RecordingReport:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(),
        )
        console = Console(file=self.stderr)  # type: ignore[arg-type]  # OutputWrapper writes text
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("Recording", total=seconds, said="")
            return record_feeds(
                wanted=wanted,
                directory=directory,
                seconds=seconds,
                tell=lambda report: progress.update(
                    bar, completed=report.elapsed_s, said=_summary(report)
                ),
            )

    def _say(self, report: RecordingReport, directory: Path) -> None:
        self.stdout.write(f"{_summary(report)} in {directory}")
        if report.dropped:
            self.stdout.write(f"{report.dropped:,} entries were dropped: the disk was too slow.")
        for feed in report.feeds:
            if feed.state is not FeedState.HEALTHY:
                reason = f" ({feed.reason})" if feed.reason else ""
                self.stdout.write(f"{feed.venue} {feed.symbol}: {feed.state.value}{reason}")


def _wanted(venues: list[str], symbols: list[str]) -> dict[VenueSpec, list[str]]:
    """Return the markets by venue; each is known to the platform."""
    wanted: dict[VenueSpec, list[str]] = {}
    for code in dict.fromkeys(venues):
        venue = get_venue(code)
        for symbol in symbols:
            find_market(symbol, code)
        wanted[venue.to_spec()] = sorted(set(symbols))
    return wanted


def _new_directory() -> Path:
    began = timezone.now().astimezone(UTC)
    return Path(settings.RECORDINGS_DIR) / began.strftime("%Y%m%dT%H%M%SZ")


def _summary(report: RecordingReport) -> str:
    healthy = sum(feed.state is FeedState.HEALTHY for feed in report.feeds)
    return (
        f"{report.recorded:,} entries, {report.written_bytes / MEBIBYTE:.1f} MiB, "
        f"{healthy} of {len(report.feeds)} feeds healthy"
    )
