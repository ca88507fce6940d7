"""Why executions made what they made, as the console shows it."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arbplatform.console.tables import table
from arbplatform.core.decimals import ZERO, to_plain
from arbplatform.wording import render
from strategies.models import PARTS, Attribution

PART_LABELS = {
    "expected": gettext_lazy("expected at the decision"),
    "latency": gettext_lazy("decision latency"),
    "slippage": gettext_lazy("slippage"),
    "fees": gettext_lazy("fees beyond the expected"),
    "completion": gettext_lazy("unfilled parts and repairs"),
    "dust": gettext_lazy("dust"),
    "funding": gettext_lazy("funding payments"),
    "transfers": gettext_lazy("transfers"),
}


def show_attribution(row: Attribution, asset: str) -> SafeString:
    """Return the way from the expected to the realised profit as tables, with what is amiss."""
    heads = [_("part"), f"{_('change')} [{asset}]", f"{_('running total')} [{asset}]"]
    parts = {name: getattr(row, name) for name in PARTS}
    lines = [*_steps(parts), (_("Total"), "", to_plain(row.total))]
    lines += [
        (capfirst(title), "", to_plain(amount))
        for title, amount in (
            (_("booked, at the marks"), row.booked),
            (_("of it in {asset}").format(asset=asset), row.cash),
            (_("of it left over in other assets"), row.left_over),
        )
    ]
    blocks = [table(heads, lines), _legs(row), *_remarks(row)]
    return format_html_join("", '<div class="mb-4">{}</div>', ((block,) for block in blocks))


def summarise(
    sums: Sequence[Mapping[str, Any]], show: Callable[[Decimal | None], str]
) -> list[tuple[str, ...]]:
    """Return how many executions there are, each part and the total, a column per profit asset.

    Args:
        sums: of many executions.
        show: writes an amount.
    """
    if not sums:
        return []
    return [
        (_("Executions"), *(str(row["executions"]) for row in sums)),
        *((capfirst(str(PART_LABELS[name])), *(show(row[name]) for row in sums)) for name in PARTS),
        (_("Total"), *(show(row["total"]) for row in sums)),
    ]


def _steps(parts: Mapping[str, Decimal | None]) -> list[tuple[str, str, str]]:
    steps = []
    running = ZERO
    for name, change in parts.items():
        running += change or ZERO
        shown = _("not measured: in slippage") if change is None else _signed(change)
        steps.append((capfirst(str(PART_LABELS[name])), shown, to_plain(running)))
    return steps


def _legs(row: Attribution) -> SafeString:
    names = ("latency", "slippage", "fees", "completion")
    heads = [_("leg"), _("market"), _("side"), _("sent after [ms]")]
    heads += [str(PART_LABELS[name]) for name in names]
    rows = [
        [
            str(leg["leg_index"] + 1),
            f"{leg['symbol']} @ {leg['venue']}",
            render(leg["side"]),
            "–" if leg["sent_after_ms"] is None else str(leg["sent_after_ms"]),
            *("–" if leg[name] is None else _signed(Decimal(leg[name])) for name in names),
        ]
        for leg in row.legs
    ]
    return table(heads, rows)


def _remarks(row: Attribution) -> list[SafeString]:
    texts = []
    if not row.is_exact:
        pairs = "; ".join(
            f"{code}: {item['fills']} / {item['ledger']}" for code, item in row.differences.items()
        )
        texts.append(
            _("ANOMALY: the fills do not say what the ledger says: {pairs}.").format(pairs=pairs)
        )
    if row.has_pending_fees:
        texts.append(_("A venue has not said yet what some fill cost: this is not final."))
    if row.unpriced:
        codes = ", ".join(row.unpriced)
        texts.append(_("Without a price, and in no figure: {codes}.").format(codes=codes))
    marks = ", ".join(f"{code} {price}" for code, price in row.marks.items())
    texts.append(_("Marks, by the books of the decision: {marks}.").format(marks=marks))
    return [format_html("<p>{}</p>", text) for text in texts]


def _signed(change: Decimal) -> str:
    return f"+{to_plain(change)}" if change > 0 else to_plain(change)
