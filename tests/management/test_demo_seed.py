import pytest
from django_celery_beat.models import PeriodicTask

from accounts.errors import WithdrawRightRefused
from accounts.models import VenueAccount
from arbplatform.core.errors import Unavailable
from arbplatform.management import demo_seed
from arbplatform.management.demo_venues import CONFIG_FILE
from ledger.selectors import wallet_balances
from markets.gateway.factory import close_all
from markets.models import Market, Venue
from markets.simulator.demo import DEMO_BALANCES, DEMO_VENUES, demo_config
from markets.simulator.running import start_in_thread
from strategies.domain.states import StrategyDriver, StrategyState
from strategies.models import Run, Strategy
from strategies.services.runs import stop_strategy

pytestmark = pytest.mark.django_db


@pytest.fixture
def config():
    return demo_config(seed=7, keys={code: (f"key-{code}", "secret") for code in DEMO_VENUES})


@pytest.fixture
def data_dir(tmp_path, settings, config):
    """A data directory in which the simulated venues are described, as the supervisor leaves it."""
    settings.DATA_DIR = tmp_path
    (tmp_path / "simulator").mkdir()
    (tmp_path / "simulator" / CONFIG_FILE).write_text(config.model_dump_json())
    return tmp_path


@pytest.fixture
def start_simulator(config):
    running = []

    def start():
        running.append(start_in_thread(config))
        return running[-1].url

    yield start
    close_all()
    for simulator in running:
        simulator.stop()


def test_a_first_start_sets_everything_up_and_trades(data_dir, start_simulator):
    url = start_simulator()

    assert demo_seed.ensure_demo(url)

    venues = Venue.objects.in_bulk(field_name="code")
    assert {code: venue.rest_origin for code, venue in venues.items()} == {
        code: f"{url}/{code}" for code in DEMO_VENUES
    }
    assert Market.objects.count() == 3 * 5
    accounts = VenueAccount.objects.all()
    assert [account.test_error for account in accounts] == ["", "", ""]
    assert all(account.tested_at for account in accounts)
    for account in accounts:
        booked = {asset: str(amount) for asset, amount in wallet_balances(account.pk).items()}
        assert booked == DEMO_BALANCES
    strategies = Strategy.objects.order_by("type")
    assert [(row.type, row.state, row.driver) for row in strategies] == [
        ("cross-venue", StrategyState.RUNNING, StrategyDriver.STREAM),
        ("triangular", StrategyState.RUNNING, StrategyDriver.STREAM),
    ]
    assert not PeriodicTask.objects.filter(strategy__in=strategies).exists()


def test_a_first_start_may_treat_simulated_venues_as_real_ones(data_dir, start_simulator, settings):
    settings.TRANSFER_TRUST_LOCAL = False

    assert demo_seed.ensure_demo(start_simulator())

    assert VenueAccount.objects.filter(is_enabled=True).count() == 3


def test_accounts_that_were_refused_by_an_older_release_are_taken_up(
    data_dir, start_simulator, settings
):
    settings.TRANSFER_TRUST_LOCAL = False
    url = start_simulator()
    demo_seed.ensure_demo(url)
    (data_dir / "simulator" / demo_seed.SEEDED_FILE).unlink()
    refused = VenueAccount.objects.filter(venue__code="alpha")
    refused.update(
        allows_transfers=False, is_enabled=False, test_error_code=WithdrawRightRefused.code
    )

    assert demo_seed.ensure_demo(url)

    account = refused.get()
    assert (account.is_enabled, account.test_error_code) == (True, None)


def test_a_later_start_leaves_alone_what_a_person_has_changed(data_dir, start_simulator):
    url = start_simulator()
    demo_seed.ensure_demo(url)
    triangular = Strategy.objects.get(type="triangular")
    stop_strategy(strategy_id=triangular.pk, user=None)
    Strategy.objects.filter(type="cross-venue").update(name="Renamed")

    assert not demo_seed.ensure_demo(url)

    assert Strategy.objects.count() == 2
    assert Strategy.objects.get(type="triangular").state == StrategyState.STOPPED


def test_a_start_that_was_interrupted_is_taken_up_again(data_dir, start_simulator):
    url = start_simulator()
    demo_seed.ensure_demo(url)
    (data_dir / "simulator" / demo_seed.SEEDED_FILE).unlink()

    assert demo_seed.ensure_demo(url)

    counts = [model.objects.count() for model in (Venue, VenueAccount, Strategy, Run)]
    assert counts == [3, 3, 2, 2]


def test_simulated_venues_that_had_to_move_are_followed(data_dir, start_simulator):
    demo_seed.ensure_demo(start_simulator())
    Venue.objects.filter(code="gamma").update(rest_origin="https://gamma.example.org")
    moved = start_simulator()

    demo_seed.ensure_demo(moved)

    origins = dict(Venue.objects.values_list("code", "rest_origin"))
    assert origins == {
        "alpha": f"{moved}/alpha",
        "beta": f"{moved}/beta",
        "gamma": "https://gamma.example.org",
    }
    assert Venue.objects.get(code="alpha").ws_origin == f"{moved}/alpha".replace("http", "ws")


def test_venues_that_do_not_answer_are_reported_and_nothing_is_set_up(data_dir, monkeypatch):
    monkeypatch.setattr(demo_seed, "SIMULATOR_TIMEOUT_S", 0)

    with pytest.raises(Unavailable, match=r"The simulated venues at http://127\.0\.0\.1:1 do not"):
        demo_seed.ensure_demo("http://127.0.0.1:1")

    assert not Venue.objects.exists()
