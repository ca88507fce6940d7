"""Make a decision again from its evidence."""

from collections.abc import Iterator
from dataclasses import dataclass

from arbplatform.core.errors import InvalidInput, Message
from strategies.domain.dust import carry_dust
from strategies.domain.evidence import from_evidence, misdated_books
from strategies.domain.intents import Intent, LegIntent
from strategies.registry import get_plugin, validate_params
from strategies.selectors import get_opportunity
from strategies.services.failures import explain

COMPARED = ("mode", "edge_bps", "notional", "expected_profit", "profit_asset")
COMPARED_OF_LEG = (
    "venue",
    "symbol",
    "side",
    "quantity",
    "limit_price",
    "expected_spent",
    "expected_received",
    "carried",
)


@dataclass(frozen=True, slots=True)
class Recomputation:
    """What comes out when the plugin looks at the evidence again.

    Attributes:
        differences: where today's decision is another one; empty when it is the same.
    """

    differences: tuple[Message, ...]

    @property
    def matches(self) -> bool:
        """Whether the same decision comes out."""
        return not self.differences


def recompute(*, opportunity_id: int) -> Recomputation:
    """Run the plugin of an opportunity's strategy on its evidence and compare what comes out.

    Nothing is traded or written. Parameters, books, rules, fees and balances are those of the
    evidence, so a difference means that the plugin's code has changed since, or that the row was
    altered.

    Raises:
        NotFound: there is no such opportunity.
    """
    opportunity = get_opportunity(opportunity_id)
    slug = opportunity.strategy.type
    try:
        evidence = from_evidence(opportunity.evidence)
        params = validate_params(slug, dict(evidence.params))
        evaluation = carry_dust(get_plugin(slug)(params).evaluate(evidence.view), evidence.view)
    except InvalidInput as error:
        return Recomputation((Message("The evidence cannot be evaluated: {error}", _of(error)),))
    except (LookupError, TypeError, ValueError) as error:
        return Recomputation((Message("The evidence is damaged: {error}", _of(error)),))
    misdated = tuple(
        Message("The age of {symbol} on {venue} does not follow from the evidence.", key._asdict())
        for key in misdated_books(opportunity.evidence)
    )
    if misdated:
        return Recomputation(misdated)
    then = evidence.intent
    now = next((item for item in evaluation.intents if _route(item) == _route(then)), None)
    if now is None:
        return Recomputation((Message("The plugin would not trade on it now."),))
    return Recomputation(tuple(_differences(then, now)))


def _differences(then: Intent, now: Intent) -> Iterator[Message]:
    for name in COMPARED:
        yield from _compare(name, getattr(then, name), getattr(now, name))
    for index, (old, new) in enumerate(zip(then.legs, now.legs, strict=True), start=1):
        for name in COMPARED_OF_LEG:
            yield from _compare(f"leg {index} {name}", getattr(old, name), getattr(new, name))


def _compare(name: str, then: object, now: object) -> Iterator[Message]:
    if then != now:
        context = {"name": name, "then": then, "now": now}
        yield Message("{name} was {then} and would be {now} now", context)


def _route(intent: Intent) -> tuple[tuple[object, ...], ...]:
    return tuple(_step(leg) for leg in intent.legs)


def _step(leg: LegIntent) -> tuple[object, ...]:
    return (leg.venue, leg.symbol, leg.side)


def _of(error: Exception) -> dict[str, object]:
    return {"error": explain(error).message}
