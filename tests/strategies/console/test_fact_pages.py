"""The console's pages of runs, opportunities and executions: read-only."""

import re
from decimal import Decimal

import pytest
from django.utils import timezone

from arbplatform.core.decimals import to_plain
from arbplatform.core.errors import ChangedMeanwhile
from ledger.models import Order
from markets.errors import VenueRejected
from strategies.models import Attribution, Execution, Opportunity, Run
from strategies.services.ticks import run_tick
from tests.dialogs import path_of, sent_by

pytestmark = pytest.mark.django_db

MODELS = ("run", "opportunity", "execution")


@pytest.fixture
def traded(cross, edge):
    run_tick(strategy_id=cross.pk)
    return cross


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_each_list_shows_what_happened(console, traded, model):
    text = text_of(console.get(f"/admin/strategies/{model}/"))

    assert "cross" in text


@pytest.mark.parametrize("model", MODELS)
def test_facts_can_neither_be_added_changed_nor_deleted(console, traded, model):
    rows = {"run": Run.objects, "opportunity": Opportunity.objects, "execution": Execution.objects}
    row = rows[model].get()

    assert console.get(f"/admin/strategies/{model}/add/").status_code == 403
    assert console.post(f"/admin/strategies/{model}/{row.pk}/delete/").status_code == 403
    assert console.post(f"/admin/strategies/{model}/{row.pk}/change/", {}).status_code == 403


def test_a_run_shows_the_parameters_that_it_had(console, traded):
    text = text_of(console.get(f"/admin/strategies/run/{Run.objects.get().pk}/change/"))

    assert "max_notional" in text


def test_an_opportunity_shows_its_evidence_and_that_the_decision_holds(console, traded):
    opportunity = Opportunity.objects.get()

    text = text_of(console.get(f"/admin/strategies/opportunity/{opportunity.pk}/change/"))

    assert "received_at_ms" in text
    assert "The plugin comes to the same decision." in text


def test_an_altered_opportunity_shows_the_difference(console, traded):
    opportunity = Opportunity.objects.get()
    opportunity.evidence["intent"]["notional"] = "1"
    opportunity.save()

    text = text_of(console.get(f"/admin/strategies/opportunity/{opportunity.pk}/change/"))

    assert "notional was 1 and would be" in text


def test_recomputing_is_a_button_whose_report_is_a_message(console, traded):
    opportunity = Opportunity.objects.get()

    response = console.post(
        f"/admin/strategies/opportunity/{opportunity.pk}/recompute_one/",
        {"_form_submitted": "True"},
        follow=True,
    )

    assert [
        "The plugin comes to the same decision." in str(m) for m in response.context["messages"]
    ]


def test_an_execution_shows_its_legs(console, traded):
    execution = Execution.objects.get()

    text = text_of(console.get(f"/admin/strategies/execution/{execution.pk}/change/"))

    assert "BTC/USDT @ alpha" in text
    assert "BTC/USDT @ beta" in text
    assert "filled" in text
    assert f"/admin/strategies/opportunity/{execution.opportunity_id}/change/" in text


def test_an_execution_shows_the_way_from_the_expected_to_the_realised_profit(console, traded):
    execution = Execution.objects.get()
    row = Attribution.objects.get(execution=execution)

    text = text_of(console.get(f"/admin/strategies/execution/{execution.pk}/change/"))

    assert "Expected at the decision" in text
    assert "not measured: in slippage" in text
    assert to_plain(row.total) in text
    assert "Marks, by the books of the decision: BTC 49990, USDT 1." in text
    assert "ANOMALY" not in text


def test_an_attribution_that_is_not_exact_not_final_or_not_whole_says_so(console, traded):
    execution = Execution.objects.get()
    row = Attribution.objects.get(execution=execution)
    row.is_exact, row.has_pending_fees, row.unpriced = False, True, ["XYZ"]
    row.differences = {"USDT": {"fills": "7", "ledger": "5"}}
    row.legs[0]["latency"], row.latency = "-1.5", Decimal("-1.5")
    row.save()

    text = text_of(console.get(f"/admin/strategies/execution/{execution.pk}/change/"))

    assert "ANOMALY: the fills do not say what the ledger says: USDT: 7 / 5." in text
    assert "this is not final" in text
    assert "Without a price, and in no figure: XYZ." in text
    assert "not measured" not in text


def test_a_strategy_shows_the_sums_of_its_attributions(console, traded):
    text = text_of(console.get(f"/admin/strategies/strategy/{traded.pk}/change/"))

    assert "From the expected to the realised profit" in text
    assert to_plain(Attribution.objects.get().total) in text


def test_lists_are_searched_and_filtered(console, traded):
    assert "cross" in text_of(console.get("/admin/strategies/opportunity/", {"q": "alpha"}))
    assert "cross" in text_of(
        console.get("/admin/strategies/execution/", {"state__exact": "completed"})
    )


def test_an_execution_that_is_held_shows_the_steps_and_is_acknowledged_by_a_button(console, held):
    page = f"/admin/strategies/execution/{held.pk}/change/"
    text = text_of(console.get(page))
    assert "within a loss of 50 bps" in text
    assert "Acknowledge the exposure" in text

    address = path_of(held, "acknowledge_one")
    response = console.post(address, sent_by(text_of(console.get(address))), follow=True)

    assert response.status_code == 200
    held.refresh_from_db()
    assert held.acknowledged_at is not None
    acknowledged = text_of(console.get(page))
    assert held.acknowledged_by.get_username() in acknowledged
    assert "Acknowledge the exposure" not in acknowledged


def test_an_exposure_that_has_grown_since_it_was_shown_is_not_acknowledged_with_it(console, held):
    address = path_of(held, "acknowledge_one")
    dialog = text_of(console.get(address))
    ((asset, amount),) = held.residuals.items()
    assert f"{amount} {asset}" in dialog
    Execution.objects.update(residuals={asset: "7"})

    answer = text_of(console.post(address, sent_by(dialog)))

    assert f"(error {ChangedMeanwhile.code})" in answer
    assert f"7 {asset}" in answer
    held.refresh_from_db()
    assert held.acknowledged_at is None


def test_held_executions_are_acknowledged_in_the_list_and_others_are_refused(console, held):
    data = {"action": "acknowledge_selected", "_selected_action": [held.pk]}

    console.post("/admin/strategies/execution/", data, follow=True)
    response = console.post("/admin/strategies/execution/", data, follow=True)

    assert "is not held, or its exposure was acknowledged already" in text_of(response)
    held.refresh_from_db()
    assert held.acknowledged_at is not None


@pytest.mark.parametrize(
    ("language", "buys", "sells"), [("en", "buy", "sell"), ("zh-hans", "买入", "卖出")]
)
def test_sides_are_told_in_the_readers_language(console, traded, language, buys, sells):
    opportunity = Opportunity.objects.get(decision="executed")
    order = Order.objects.filter(side="buy").order_by("pk")[0]
    asked = {"headers": {"Accept-Language": language}}

    page = text_of(console.get(f"/admin/strategies/opportunity/{opportunity.pk}/change/", **asked))
    title = text_of(console.get(f"/admin/ledger/order/{order.pk}/change/", **asked))

    assert f"{buys} {order.market.symbol} @ {order.market.venue.code} → {sells} " in page
    assert f"#{order.pk} {buys} {order.market}" in title


def failure_on_page(console, language="en"):
    """Return the words of the row that says why nothing was filled; nothing without such a row."""
    execution = Execution.objects.get()
    address = f"/admin/strategies/execution/{execution.pk}/change/"
    text = text_of(console.get(address, headers={"Accept-Language": language}))
    row = re.search("(?:Why nothing was filled|未成交的原因).*?</table>", text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", row[0]).split()) if row else ""


@pytest.mark.parametrize(
    ("language", "legs"),
    [
        (
            "en",
            (
                "1 BTC/USDT @ alpha Nobody was left to trade with at its limit price of 50000.",
                "2 ETH/BTC @ alpha It was not sent.",
            ),
        ),
        (
            "zh-hans",
            ("1 BTC/USDT @ alpha 限价 50000 处已无可成交的挂单。", "2 ETH/BTC @ alpha 未发送。"),
        ),
    ],
)
def test_an_execution_that_met_nobody_says_so_of_each_leg(
    console, triangular, triangle, language, legs
):
    def go_away(_request):
        triangle["alpha"].before_submit = None
        triangle["alpha"].set_book("BTC/USDT", bids=[("49990", "5")], asks=[("60000", "5")])

    triangle["alpha"].before_submit = go_away
    run_tick(strategy_id=triangular.pk)

    said = failure_on_page(console, language)

    assert [leg for leg in legs if leg not in said] == []


@pytest.mark.parametrize(("language", "reason"), [("en", "refused"), ("zh-hans", "拒绝")])
def test_an_execution_that_was_refused_shows_the_venues_reason(
    console, cross, edge, language, reason
):
    def refuse(_request):
        raise VenueRejected(venue="alpha", cause="too small by far")

    edge["alpha"].before_submit = edge["beta"].before_submit = refuse
    run_tick(strategy_id=cross.pk)

    said = failure_on_page(console, language)

    assert said.count("too small by far") == 2
    assert reason in said


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cancel_requested_at": timezone.now()}, "It was cancelled on request"),
        ({"time_in_force": "gtc"}, "The venue ended it before anything was filled."),
        ({"state": "unknown"}, "unknown"),
    ],
)
def test_the_end_of_an_order_that_filled_nothing_has_a_reason(console, traded, changes, reason):
    Execution.objects.update(state="failed")
    Order.objects.update(**{"state": "canceled", "time_in_force": "ioc", **changes})

    assert reason in failure_on_page(console)


def test_an_execution_that_filled_something_has_no_row_for_failures(console, traded):
    assert failure_on_page(console) == ""
