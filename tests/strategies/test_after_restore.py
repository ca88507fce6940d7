"""After an old backup was put back no order bears an id that another one has at its venue."""

from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command

from arbplatform.core.ids import derive_client_id
from arbplatform.persistence import sequences
from ledger.models import Order
from strategies.management.commands.after_restore import SKIPPED
from strategies.models import Execution
from strategies.services.ticks import run_tick

pytestmark = pytest.mark.django_db


def test_executions_go_on_behind_all_that_may_have_been_begun_after_the_backup(
    cross, edge, monkeypatch
):
    run_tick(strategy_id=cross.pk)
    last = Execution.objects.get().pk
    monkeypatch.setattr(sequences, "_drawn", {})  # the platform was stopped
    used_after_the_backup = {
        derive_client_id(settings.ARB_INSTALL_ID, "order", last + number, leg, 0)
        for number in range(1, 200)
        for leg in (0, 1)
    }
    told = StringIO()

    call_command("after_restore", stdout=told)
    edge["alpha"].set_book("BTC/USDT", bids=[("49990", "1")], asks=[("50000", "1")])
    edge["beta"].set_book("BTC/USDT", bids=[("50500", "1")], asks=[("50510", "1")])
    run_tick(strategy_id=cross.pk, is_spacing_kept=False)

    assert Execution.objects.latest("pk").pk > last + SKIPPED
    assert not Order.objects.filter(client_order_id__in=used_after_the_backup).exists()
    assert "compare each account" in told.getvalue()
