"""``demo``: the whole platform on a scratch directory, then a summary that adds up or fails."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from arbplatform.core.errors import Conflict, Unavailable
from arbplatform.management.stack import StackOptions
from arbplatform.management.supervisor import Supervisor, until_signal
from arbplatform.management.terminal import Terminal

SECONDS_MAX = 86_400
NEEDED_TYPES = ("cross-venue", "triangular")
"""The demo runs one strategy of each type, and each has to have traded."""
INTERRUPTED = 130


async def run_demo(
    *, seconds: int, data_dir: Path | None, database_url: str, terminal: Terminal
) -> int:
    """Trade on the simulated venues for a while and return the exit code.

    Args:
        seconds: how long to trade [s].
        data_dir: an empty directory, which is kept; ``None`` is a scratch one.
        database_url: an empty database; the empty string is SQLite in the directory.
        terminal: for the summary.

    Returns:
        0 when every needed type traded and every book balances, else 1.

    Raises:
        Conflict: the directory is not empty.
        Unavailable: the platform did not start.
    """
    directory = _choose_directory(data_dir)
    # The environment's DATABASE_URL and REDIS_URL are left alone: they may lead to real books.
    options = StackOptions(data_dir=directory, port=0, database_url=database_url)
    platform = Supervisor(options, terminal)
    is_kept = data_dir is not None
    try:
        code = await until_signal(
            _trade(platform, seconds, terminal), platform=platform, terminal=terminal
        )
    except Unavailable:
        is_kept = True
        terminal.say(f"The directory {directory} is kept: its folder logs says what went wrong.")
        raise
    finally:
        if not is_kept:
            shutil.rmtree(directory, ignore_errors=True)
    return INTERRUPTED if code is None else code


def _choose_directory(data_dir: Path | None) -> Path:
    if data_dir is None:
        return Path(tempfile.mkdtemp(prefix="arbplatform-demo-"))
    if data_dir.is_dir() and any(data_dir.iterdir()):
        raise Conflict(
            "The directory {path} is not empty, and the demo would mix its trades with what is "
            "there. Name an empty one.",
            path=str(data_dir),
        )
    return data_dir


async def _trade(platform: Supervisor, seconds: int, terminal: Terminal) -> int:
    terminal.say("Starting the demo on a scratch directory …")
    async with platform:
        terminal.say(f"Trading for {seconds} s. Look at it: {platform.url}/admin/")
        for line in credentials(platform.prepared):
            terminal.say(line)
        await _show_time(seconds)
        terminal.say("Stopping the strategies and comparing every book …")
        report = dict(await platform.run_command("settle", "settle_demo"))
        report["restarts"] = platform.restart_count
    report["ok"] = not failures(report)
    for line in describe(report):
        terminal.say(line)
    terminal.say(json.dumps(report, sort_keys=True))
    return 0 if report["ok"] else 1


def credentials(prepared: Mapping[str, object]) -> list[str]:
    """Return the line that says how to log in."""
    if not prepared.get("password"):
        return []
    return [f"Log in as {prepared['username']} with the password {prepared['password']}"]


async def _show_time(seconds: int) -> None:
    """Wait, and show how long it still takes when a person is looking."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        if not progress.console.is_terminal:
            progress.disable = True
        task = progress.add_task("trading", total=seconds)
        for _ in range(seconds):
            await asyncio.sleep(1)
            progress.advance(task)


def failures(report: Mapping[str, Any]) -> list[str]:
    """Return what keeps the demo from being a success; nothing when all is well."""
    executed = report["arbitrages"]
    found = [f"no {kind} arbitrage was executed" for kind in NEEDED_TYPES if not executed.get(kind)]
    found += [f"the ledger is off by {off} {asset}" for asset, off in report["imbalance"].items()]
    found += [
        "{account} {wallet}: {asset} is booked as {booked}, the venue says {stated}".format(**row)
        for row in report["differences"]
    ]
    found += [f"{report[name]} orders {text}" for name, text in _OPEN_ENDS if report[name]]
    return found


_OPEN_ENDS = (
    ("orders_unknown", "have an unknown outcome"),
    ("orders_unfinished", "are not finished"),
)


def describe(report: Mapping[str, Any]) -> list[str]:
    """Return the summary for people."""
    executed = ", ".join(f"{count} {kind}" for kind, count in report["arbitrages"].items())
    pnl = ", ".join(f"{amount} {asset}" for asset, amount in report["pnl"].items())
    lines = [
        "",
        f"  arbitrages executed   {executed or 'none'}",
        f"  fills booked          {report['fills']}",
        f"  realised PnL          {pnl or 'none'}",
        f"  in total              {report['pnl_total']} {report['reporting_asset']}",
        f"  ledger imbalance      {report['imbalance'] or 'none'}",
        "  against statements    {} differences in {} balances".format(
            len(report["differences"]) or "no", report["balances_compared"]
        ),
        f"  orders unknown        {report['orders_unknown']}",
        f"  errors logged         {report['errors']}",
        f"  processes restarted   {report['restarts']}",
        "",
    ]
    found = failures(report)
    if found:
        return [*lines, "The demo failed: " + "; ".join(found) + ".", ""]
    return [*lines, "Every book balances.", ""]
