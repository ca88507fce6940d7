"""``demo``: the whole platform on a scratch directory, then a summary that adds up or fails."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from arbplatform.core.errors import Message, Unavailable
from arbplatform.management.errors import DirectoryNotEmpty
from arbplatform.management.speech import label, render
from arbplatform.management.stack import StackOptions
from arbplatform.management.supervisor import Supervisor, until_signal
from arbplatform.management.terminal import Terminal

SECONDS_MAX = 86_400
NEEDED_TYPES = ("cross-venue", "triangular")
"""The demo runs one strategy of each type, and each has to have traded."""
INTERRUPTED = 130
LABEL_COLUMNS = 21
STAGES: Mapping[str, Message] = {
    "socket": Message("venue → received"),
    "book": Message("received → book"),
    "decision": Message("book → intent"),
    "commit": Message("intent → durable"),
    "send": Message("durable → sent"),
    "ack": Message("sent → answered"),
    "fill": Message("sent → booked"),
}
"""Stages of an engine, as a person reads them."""
NONE = Message("none")


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
        DirectoryNotEmpty: the directory is not empty.
        Unavailable: the platform did not start.
    """
    directory = _choose_directory(data_dir)
    # The environment's DATABASE_URL and REDIS_URL are left alone: they may lead to real books.
    options = StackOptions(data_dir=directory, port=0, database_url=database_url, has_scanner=False)
    platform = Supervisor(options, terminal)
    is_kept = data_dir is not None
    try:
        code = await until_signal(
            _trade(platform, seconds, terminal), platform=platform, terminal=terminal
        )
    except Unavailable:
        is_kept = True
        terminal.say(
            Message(
                "The directory {path} is kept: its folder logs says what went wrong.",
                {"path": directory},
            )
        )
        raise
    finally:
        if not is_kept:
            shutil.rmtree(directory, ignore_errors=True)
    return INTERRUPTED if code is None else code


def _choose_directory(data_dir: Path | None) -> Path:
    if data_dir is None:
        return Path(tempfile.mkdtemp(prefix="arbplatform-demo-"))
    if data_dir.is_dir() and any(data_dir.iterdir()):
        raise DirectoryNotEmpty(path=str(data_dir))
    return data_dir


async def _trade(platform: Supervisor, seconds: int, terminal: Terminal) -> int:
    terminal.say(Message("Starting the demo on a scratch directory …"))
    async with platform:
        terminal.say(
            Message(
                "Trading for {seconds} s. Look at it: {url}",
                {"seconds": seconds, "url": f"{platform.url}/admin/"},
            )
        )
        platform.say_login()
        await _show_time(seconds)
        terminal.say(Message("Stopping the strategies and comparing every book …"))
        report = await platform.run_command("settle", "settle_demo")
        report["restarts"] = platform.restart_count
    report["ok"] = not failures(report)
    for line in describe(report):
        terminal.write(line)
    terminal.write(json.dumps(report, sort_keys=True))
    return 0 if report["ok"] else 1


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


def failures(report: Mapping[str, Any]) -> list[Message]:
    """Return what keeps the demo from being a success; nothing when all is well."""
    found = [
        Message("no {type} arbitrage was executed", {"type": kind})
        for kind in NEEDED_TYPES
        if not report["arbitrages"].get(kind)
    ]
    found += [
        Message("the ledger is off by {amount} {asset}", {"amount": amount, "asset": asset})
        for asset, amount in report["imbalance"].items()
    ]
    found += [
        Message("{account} {wallet}: {asset} is booked as {booked}, the venue says {stated}", row)
        for row in report["differences"]
    ]
    if "send" not in report["speed"]:
        found.append(Message("no engine has sent an order"))
    if report["orders_unknown"]:
        count = {"count": report["orders_unknown"]}
        found.append(Message("orders with an unknown outcome: {count}", count))
    if report["orders_unfinished"]:
        count = {"count": report["orders_unfinished"]}
        found.append(Message("orders that are not finished: {count}", count))
    return found


def describe(report: Mapping[str, Any]) -> list[str]:
    """Return the summary for people, line by line."""
    rows = (
        (Message("arbitrages executed"), _list(report["arbitrages"])),
        (Message("fills booked"), report["fills"]),
        (Message("realised PnL"), _list(report["pnl"])),
        (Message("in total"), _worth(report)),
        (Message("ledger imbalance"), _list(report["imbalance"])),
        (
            Message("against statements"),
            render(
                Message(
                    "{count} differences in {total} balances",
                    {"count": len(report["differences"]), "total": report["balances_compared"]},
                )
            ),
        ),
        (Message("orders unknown"), report["orders_unknown"]),
        (Message("errors logged"), report["errors"]),
        (Message("processes restarted"), report["restarts"]),
        *((STAGES[stage], _speed(took)) for stage, took in report["speed"].items()),
    )
    found = failures(report)
    verdict = (
        Message("The demo failed: {causes}.", {"causes": "; ".join(map(render, found))})
        if found
        else Message("Every book balances.")
    )
    lines = [f"  {label(name, LABEL_COLUMNS)} {value}" for name, value in rows]
    return ["", *lines, "", render(verdict), ""]


def _list(amounts: Mapping[str, object]) -> str:
    return ", ".join(f"{amount} {name}" for name, amount in amounts.items()) or render(NONE)


def _speed(took: Mapping[str, float]) -> str:
    return render(
        Message(
            "p50 {p50} ms, p99 {p99} ms ({count} times)",
            {
                "p50": f"{took['p50_us'] / 1_000:.3f}",
                "p99": f"{took['p99_us'] / 1_000:.3f}",
                "count": took["count"],
            },
        )
    )


def _worth(report: Mapping[str, Any]) -> str:
    worth = f"{Decimal(report['pnl_total']):.8f} {report['reporting_asset']}"
    if not report["pnl_unpriced"]:
        return worth
    return render(
        Message(
            "{worth}, without {assets}, which have no price",
            {"worth": worth, "assets": ", ".join(report["pnl_unpriced"])},
        )
    )
