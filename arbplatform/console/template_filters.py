"""How amounts and sentences look on the console's pages, and which buttons a row has."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from django import template
from django.utils.timesince import timesince
from django.utils.translation import gettext

from arbplatform.authors import say_author
from arbplatform.console.admin import PlatformAdmin
from arbplatform.console.refusals import take_typed
from arbplatform.core.clock import SYSTEM_CLOCK
from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import Message
from arbplatform.wording import render

register = template.Library()

COARSE_PLACES = 2
FINE_PLACES = 8
MS_PER_S = 1_000
S_PER_MINUTE = 60


@register.filter
def say(message: Message) -> str:
    """Return a sentence in the reader's language."""
    return render(message)


@register.filter
def author(kept: str) -> str:
    """Return who did something: the platform in the reader's language, a person as named."""
    return say_author(kept)


@register.filter
def money(amount: Decimal | None) -> str:
    """Return an amount in a currency: two places, grouped; a dash for none."""
    return "–" if amount is None else f"{_floor(amount, COARSE_PLACES):,.2f}"


@register.filter
def signed_money(amount: Decimal | None) -> str:
    """Return a profit or loss: two places, grouped, with its sign."""
    if amount is None:
        return "–"
    rounded = _floor(amount, COARSE_PLACES)
    return f"{rounded:+,.2f}" if rounded else "0.00"


@register.filter
def signed_amount(amount: Decimal | None) -> str:
    """Return a profit or loss in any asset: at most eight places, with its sign."""
    if amount is None:
        return "–"
    text = to_plain(_floor(amount, FINE_PLACES))
    return text if text.startswith("-") or text == "0" else f"+{text}"


@register.filter
def age(moment: datetime) -> str:
    """Return how long ago something was: seconds within the first minute, else as Django does."""
    now = SYSTEM_CLOCK.now()
    seconds = int((now - moment).total_seconds())
    if seconds >= S_PER_MINUTE:
        return timesince(moment, now)
    return gettext("{seconds} s").format(seconds=max(seconds, 0))


@register.filter
def since_ms(age_ms: int) -> str:
    """Return what is so old [ms]: milliseconds within the first second, then as ``age`` does."""
    if age_ms < MS_PER_S:
        return gettext("{ms} ms").format(ms=max(age_ms, 0))
    return age(SYSTEM_CLOCK.now() - timedelta(milliseconds=age_ms))


@register.filter
def tone(amount: Decimal | None) -> str:
    """Return the CSS class that colours a profit or loss."""
    if not amount:
        return "arb-neutral"
    return "arb-positive" if amount > 0 else "arb-negative"


@register.simple_tag(takes_context=True)
def typed_before(context: Mapping[str, Any]) -> dict[str, str]:
    """Return what was typed into which form, if the service refused it and led back here."""
    return take_typed(context["request"])


@register.simple_tag(takes_context=True)
def offered_buttons(context: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the buttons of a row of a list; those that would be refused anyway are left out."""
    page, buttons = context["cl"].model_admin, context["actions"]
    if not isinstance(page, PlatformAdmin):
        return list(buttons)
    prefix = f"{page.admin_site.name}:{page.opts.app_label}_{page.opts.model_name}_"
    row = context["result"].instance
    return [each for each in buttons if page.is_offered(each["raw_path"].removeprefix(prefix), row)]


def _floor(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_FLOOR)
