"""The console's pages of a strategy."""

import re

import pytest
from django.utils import translation

from arbplatform.console.template_filters import signed_money
from arbplatform.core.errors import Message
from arbplatform.wording import render
from ledger.models import AssetPrice, Order
from ledger.services.equity import take_snapshot
from strategies.admin.panel import brief
from strategies.admin.strategy import ERROR_SHOWN_MAX
from strategies.domain.states import StrategyState
from strategies.errors import StrategyNotFound, StrategyRunning
from strategies.models import Execution, ResultTotal, Run, Strategy
from strategies.services.failures import explain
from strategies.services.pnl import report_pnl
from strategies.services.result_audits import audit_strategy
from strategies.services.results import rebuild_results
from strategies.services.runs import fault_strategy, stop_strategy
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db

LIST = "/admin/strategies/strategy/"
ADD = LIST + "add/"


def page(strategy):
    return f"{LIST}{strategy.pk}/change/"


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


def said(response):
    return [str(message) for message in response.context["messages"]]


@pytest.fixture
def form(accounts):
    return {
        "name": "cross",
        "accounts": [account.pk for account in accounts],
        "driver": "schedule",
        "interval_ms": "500",
        "params__symbols": "BTC/USDT, ETH/USDT",
        "params__min_edge_bps": "7.5",
    }


def press(console, address):
    """Press a dialog's button: the form's POST with its token field."""
    return console.post(address, {"_form_submitted": "True"}, follow=True)


@pytest.mark.parametrize(
    ("ticked_at", "decided_at", "shown"),
    [
        (None, None, "–"),
        ("2026-01-02T03:04:05Z", None, "2026-01-02 03:04:05"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:09.5+00:00", "2026-01-02 03:04:09"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:01+00:00", "2026-01-02 03:04:05"),
    ],
)
def test_the_list_shows_when_a_strategy_last_decided_also_on_a_stream(
    console, cross, ticked_at, decided_at, shown
):
    Strategy.objects.filter(pk=cross.pk).update(
        last_tick_at=ticked_at, last_decision={"at": decided_at} if decided_at else {}
    )

    html = text_of(console.get(LIST))

    (cell,) = re.findall(r"field-show_last_decision[^>]*>\s*(.*?)\s*</td>", html, re.DOTALL)
    assert cell == shown


def test_the_list_shows_each_strategy_with_its_state(console, cross, make_triangular):
    make_triangular("resting")

    text = text_of(console.get(LIST))

    assert "cross" in text
    assert "resting" in text
    assert "running" in text
    assert "Cross-venue arbitrage" in text


def test_the_list_shows_what_each_strategy_has_earned(console, cross, make_triangular, edge):
    make_triangular("resting")
    run_tick(strategy_id=cross.pk)
    take_snapshot()  # stores prices

    html = text_of(console.get(LIST))

    total = report_pnl(strategy_id=cross.pk).total
    assert total > 0
    cells = re.findall(r"field-show_earned[^>]*>\s*(.*?)\s*</td>", html, re.DOTALL)
    assert cells == [f"{signed_money(total)} USDT", "–"]

    AssetPrice.objects.filter(asset__code="BTC").delete()
    (execution,) = Execution.objects.all()  # it left some BTC over
    html = text_of(console.get(LIST))
    cells = re.findall(r"field-show_earned[^>]*>\s*(.*?)\s*</td>", html, re.DOTALL)
    earned = f"{signed_money(execution.realised_profit)} USDT"
    assert cells == [f"{earned}, without BTC, which have no price", "–"]


def test_the_list_is_narrowed_by_state_and_type(console, cross, make_triangular):
    make_triangular("resting")

    assert "resting" not in text_of(console.get(LIST, {"state__exact": "running"}))
    assert "resting" in text_of(console.get(LIST, {"type": "triangular"}))


def test_adding_asks_for_the_type_first(console, accounts):
    text = text_of(console.get(ADD))

    assert "?type=cross-venue" in text
    assert "?type=triangular" in text
    assert "?type=cross-venue" in text_of(console.get(ADD, {"type": "lottery"}))


def test_the_form_has_a_field_for_each_parameter_with_its_help_and_default(console, accounts):
    text = text_of(console.get(ADD, {"type": "cross-venue"}))

    assert 'name="params__min_edge_bps"' in text
    assert 'value="5"' in text
    assert "Profit after fees and rounding" in text
    assert 'name="params__assets"' not in text


def test_a_strategy_is_added_with_its_parameters(console, form):
    response = console.post(f"{ADD}?type=cross-venue", form, follow=True)

    assert response.status_code == 200
    strategy = Strategy.objects.get()
    assert (strategy.name, strategy.type, strategy.interval_ms) == ("cross", "cross-venue", 500)
    assert strategy.params["symbols"] == ["BTC/USDT", "ETH/USDT"]
    assert strategy.params["min_edge_bps"] == "7.5"
    assert strategy.params["max_notional"] == "1000"
    assert strategy.accounts.count() == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"params__symbols": "BTC-USDT"}, "BASE/QUOTE"),
        ({"params__symbols": ""}, "This field is required"),
        ({"params__min_edge_bps": "-1"}, "at least 0"),
        ({"params__min_edge_bps": "much"}, "Must be a number"),
        ({"params__depth": "0"}, "greater than or equal to 1"),
        ({"name": ""}, "This field is required"),
        ({"accounts": []}, "This field is required"),
        ({"interval_ms": "1"}, "from 200 to 86400000"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(console, form, change, complaint):
    response = console.post(f"{ADD}?type=cross-venue", {**form, **change})

    assert complaint in text_of(response)
    assert not Strategy.objects.exists()


def test_unsuitable_accounts_are_a_complaint_at_that_field(console, form):
    response = console.post(f"{ADD}?type=cross-venue", {**form, "accounts": form["accounts"][:1]})

    (complaint,) = response.context["adminform"].form.errors["accounts"]
    assert complaint.startswith("The strategy type cross-venue trades on at least 2 venues")
    assert complaint.endswith("Add accounts at other venues.")
    assert complaint in text_of(response)
    assert not Strategy.objects.exists()


def test_a_strategy_at_rest_is_changed(console, make_cross, form):
    strategy = make_cross()

    console.post(page(strategy), {**form, "name": "renamed", "params__max_notional": "50"})

    strategy.refresh_from_db()
    assert strategy.name == "renamed"
    assert (strategy.params["max_notional"], strategy.params["symbols"]) == (
        "50",
        ["BTC/USDT", "ETH/USDT"],
    )


def test_the_form_of_a_strategy_shows_its_present_parameters(console, make_cross):
    text = text_of(console.get(page(make_cross(min_edge_bps="12.5"))))

    assert 'value="12.5"' in text
    assert 'value="BTC/USDT"' in text


def test_a_running_strategy_is_shown_but_cannot_be_typed_in(console, cross, form):
    text = text_of(console.get(page(cross)))

    assert 'name="params__symbols"' not in text
    assert 'name="name"' not in text
    console.post(page(cross), {**form, "name": "renamed"})
    cross.refresh_from_db()
    assert cross.name == "cross"


def test_a_strategy_that_was_started_while_its_form_was_open_is_not_changed(
    console, make_cross, form, start, calm
):
    strategy = make_cross()
    console.get(page(strategy))
    start(strategy)

    text = text_of(console.post(page(strategy), {**form, "name": "renamed"}))

    strategy.refresh_from_db()
    assert strategy.name == "cross"
    assert render(StrategyRunning(name="cross", state=Message("running")).message) in text
    assert 'name="name" value="renamed"' in text
    assert 'name="params__min_edge_bps" value="7.5"' in text
    assert 'name="_continue"' in text  # stopped, it can be saved without typing it again


def test_a_strategy_whose_plugin_is_gone_cannot_be_typed_in(console, make_cross, form):
    strategy = make_cross()
    Strategy.objects.update(type="gone")

    text = text_of(console.post(page(strategy), {**form, "name": "renamed"}))

    assert "There is no strategy type gone." in text
    strategy.refresh_from_db()
    assert strategy.name == "cross"


def test_the_page_shows_what_the_strategy_does_and_why(console, cross, edge):
    run_tick(strategy_id=cross.pk)
    edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50600", "1")])
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    text = text_of(console.get(page(cross)))

    assert "Last decision" in text
    assert "BTC/USDT alpha → beta" in text
    assert "Latest executions" in text
    assert "completed" in text
    assert "Latest trades" in text
    assert "Latest log lines" in text
    assert f"/admin/ledger/fill/?strategy__id__exact={cross.pk}" in text


def test_the_page_of_a_strategy_whose_type_is_gone_can_still_be_read(console, cross, settings):
    settings.STRATEGY_PACKAGES = []

    assert "cross-venue" in text_of(console.get(page(cross)))


# start and stop ---------------------------------------------------------------------------------


def test_the_start_button_asks_first_and_a_get_starts_nothing(console, make_cross, calm):
    strategy = make_cross()

    response = console.get(f"{LIST}{strategy.pk}/start_one/")

    assert "begins to trade" in text_of(response)
    strategy.refresh_from_db()
    assert strategy.state == StrategyState.STOPPED


def test_the_start_button_starts_and_the_stop_button_stops(console, make_cross, calm, superuser):
    strategy = make_cross()

    press(console, f"{LIST}{strategy.pk}/start_one/")
    strategy.refresh_from_db()
    assert strategy.state == StrategyState.RUNNING
    assert Run.objects.get().started_by == superuser

    press(console, f"{LIST}{strategy.pk}/stop_one/")
    strategy.refresh_from_db()
    assert strategy.state == StrategyState.STOPPED


def test_a_start_that_is_refused_says_why(console, make_cross, calm):
    strategy = make_cross(symbols=["DOGE/USDT"])

    response = press(console, f"{LIST}{strategy.pk}/start_one/")

    assert any("none of the markets" in text for text in said(response))
    assert not Run.objects.exists()


def test_several_strategies_are_started_and_each_is_reported(console, make_cross, calm):
    good, bad = make_cross("good"), make_cross("bad", symbols=["DOGE/USDT"])

    response = console.post(
        LIST,
        {"action": "start_selected", "_selected_action": [good.pk, bad.pk]},
        follow=True,
    )

    assert sorted(text.split(":")[0] for text in said(response)) == ["bad", "good"]
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, bad.state) == (StrategyState.RUNNING, StrategyState.STOPPED)


def test_several_strategies_are_stopped_and_each_is_reported(console, make_cross, cross):
    resting = make_cross("resting")

    response = console.post(
        LIST,
        {"action": "stop_selected", "_selected_action": [cross.pk, resting.pk]},
        follow=True,
    )

    assert len(said(response)) == 2
    cross.refresh_from_db()
    assert cross.state == StrategyState.STOPPED


# delete -----------------------------------------------------------------------------------------


def test_a_strategy_that_never_traded_is_deleted_after_a_question(console, make_cross):
    strategy = make_cross()

    assert "Are you sure" in text_of(console.get(f"{LIST}{strategy.pk}/delete/"))
    console.post(f"{LIST}{strategy.pk}/delete/", {"post": "yes"})

    assert not Strategy.objects.exists()


def test_a_running_strategy_is_not_deleted_and_the_reason_is_said(console, cross):
    response = console.post(f"{LIST}{cross.pk}/delete/", {"post": "yes"}, follow=True)

    assert any("Stop it first" in text for text in said(response))
    assert Strategy.objects.count() == 1


def test_a_strategy_with_history_is_not_deleted(console, cross, edge):
    run_tick(strategy_id=cross.pk)
    stop_strategy(strategy_id=cross.pk, user=None)

    console.post(f"{LIST}{cross.pk}/delete/", {"post": "yes"}, follow=True)

    assert Strategy.objects.count() == 1
    assert Order.objects.count() == 2


def test_nobody_without_permission_starts_anything(client, staff, make_cross, calm):
    strategy = make_cross()
    client.force_login(staff)

    assert client.get(LIST).status_code == 403
    assert (
        client.post(f"{LIST}{strategy.pk}/start_one/", {"_form_submitted": "True"}).status_code
        == 403
    )
    strategy.refresh_from_db()
    assert strategy.state == StrategyState.STOPPED


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_faulted_strategy_shows_its_error_in_the_readers_language(console, cross, calm, language):
    run = Run.objects.get(strategy=cross)
    error = StrategyNotFound()
    fault_strategy(strategy_id=cross.pk, failure=explain(error))
    with translation.override(language):
        text = render(error.message)
    assert (text == str(error)) is (language == "en")

    for address in (page(cross), LIST, f"/admin/strategies/run/{run.pk}/change/"):
        answer = console.get(address, HTTP_ACCEPT_LANGUAGE=language)
        assert text[:ERROR_SHOWN_MAX] in text_of(answer), address


def test_an_error_that_was_kept_as_text_is_shown_as_it_was(console, cross, calm):
    old = {"template": "what {it} was: 100 %", "context": {}}  # as the migration leaves it
    Strategy.objects.filter(pk=cross.pk).update(last_error=old)

    assert "what {it} was: 100 %" in text_of(console.get(page(cross)))


@pytest.mark.parametrize(
    ("edge_bps", "shown"), [("-15.0231", "-15.03"), ("3.009", "3.00"), ("7", "7.00")]
)
def test_the_edge_of_what_was_left_is_rounded_as_in_its_sentence(console, cross, edge_bps, shown):
    rejection = {"subject": "odd", "edge_bps": edge_bps, "message": {"template": "Too little."}}
    Strategy.objects.filter(pk=cross.pk).update(last_decision={"rejections": [rejection]})

    assert f"<td>odd</td><td>{shown}</td><td>not traded</td>" in text_of(console.get(page(cross)))


def test_the_way_of_the_profit_has_a_row_for_each_part(console, cross, edge):
    run_tick(strategy_id=cross.pk)

    html = text_of(console.get(page(cross)))

    (report,) = report_pnl(strategy_id=cross.pk).attribution
    assert "<th>Part</th><th>USDT</th>" in html
    assert "<td>Executions</td><td>1</td>" in html
    assert f"<td>Expected at the decision</td><td>{brief(report['expected'])}</td>" in html
    assert f"<td>Total</td><td>{brief(report['total'])}</td>" in html


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_running_strategy_is_green_in_every_language(console, cross, language):
    with translation.override(language):  # gives the old language back at the end
        text = text_of(console.get(LIST, headers={"accept-language": language}))

    assert "bg-green-100" in text


def test_the_links_of_a_page_lead_to_lists_of_that_strategy_only(
    console, cross, make_triangular, edge
):
    other = make_triangular("another")
    run_tick(strategy_id=cross.pk)
    addresses = [address for _, address in console.get(page(cross)).context["panel"].links]
    assert len(addresses) == 6

    for address in addresses:
        own = console.get(address)
        foreign = console.get(address.replace(f"={cross.pk}", f"={other.pk}"))
        assert own.status_code == foreign.status_code == 200, address
        assert own.context["cl"].result_count > 0, address
        assert foreign.context["cl"].result_count == 0, address


def test_the_page_says_whether_the_sums_were_found_right(console, cross, edge):
    run_tick(strategy_id=cross.pk)
    assert "every sum is right" not in text_of(console.get(page(cross)))

    audit_strategy(strategy_id=cross.pk)
    assert "every sum is right" in text_of(console.get(page(cross)))

    ResultTotal.objects.update(failed=1)
    audit_strategy(strategy_id=cross.pk)
    text = text_of(console.get(page(cross)))
    assert "1 sums were not what the executions add up to at" in text
    rebuild_results(strategy_id=cross.pk)
