"""The table of quirks against ccxt's own source: an upgrade that changes one is seen here."""

import inspect
import re

import ccxt
import pytest

from markets.gateway.quirks import _TABLE, Lookup, quirks_for


def _source(ccxt_id: str, method: str) -> str:
    return inspect.getsource(getattr(getattr(ccxt, ccxt_id), method))


@pytest.mark.parametrize("ccxt_id", sorted(_TABLE))
def test_every_quirk_is_of_a_class_that_ccxt_has(ccxt_id: str) -> None:
    assert ccxt_id in ccxt.exchanges


@pytest.mark.parametrize(
    "ccxt_id", [name for name, quirks in _TABLE.items() if quirks.lookup is Lookup.BY_PARAM]
)
def test_classes_that_are_asked_by_our_id_read_it(ccxt_id: str) -> None:
    param = quirks_for(ccxt_id).client_id_param
    source = _source(ccxt_id, "fetch_order")

    # Some look at it in a helper that the method calls.
    helpers = re.findall(r"self\.(fetch_\w*order\w*|\w*request\w*)\(", source)
    everything = source + "".join(
        _source(ccxt_id, name) for name in set(helpers) if hasattr(getattr(ccxt, ccxt_id), name)
    )
    assert param in everything or "id," in everything


@pytest.mark.parametrize(
    "ccxt_id", [name for name, quirks in _TABLE.items() if quirks.can_cancel_by_client_id]
)
def test_classes_that_cancel_by_our_id_read_it(ccxt_id: str) -> None:
    param = quirks_for(ccxt_id).client_id_param
    source = _source(ccxt_id, "cancel_order")

    helpers = re.findall(r"self\.(cancel_\w*order\w*|\w*request\w*)\(", source)
    everything = source + "".join(
        _source(ccxt_id, name) for name in set(helpers) if hasattr(getattr(ccxt, ccxt_id), name)
    )
    assert param in everything


@pytest.mark.parametrize(
    "ccxt_id", [name for name, quirks in _TABLE.items() if quirks.permission_probe]
)
def test_permission_probes_call_methods_that_exist(ccxt_id: str) -> None:
    probe = quirks_for(ccxt_id).permission_probe
    assert probe is not None

    assert callable(getattr(getattr(ccxt, ccxt_id)(), probe.method))


def test_a_class_without_quirks_behaves_as_most_do() -> None:
    quirks = quirks_for("nosuch")

    assert quirks.lookup is Lookup.BY_SEARCH
    assert quirks.client_id_param == "clientOrderId"
    assert not quirks.is_nonce_strict
