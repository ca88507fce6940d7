"""Addresses of the app, below ``/api/``."""

from arbplatform.api.routes import route
from markets.api.faults import FaultListView, FaultView
from markets.api.feeds import FeedListView
from markets.api.views import (
    BookView,
    CandlesView,
    MarketListView,
    TickerView,
    VenueListView,
    VenueSyncView,
    VenueUnblockView,
    VenueView,
)

urlpatterns = [
    route("venues", VenueListView.as_view(), name="venues"),
    route("venues/<slug:key>", VenueView.as_view(), name="venue"),
    route("venues/<slug:key>/sync", VenueSyncView.as_view(), name="venue-sync"),
    route("venues/<slug:key>/faults", FaultListView.as_view(), name="venue-faults"),
    route("venues/<slug:key>/faults/<int:id>", FaultView.as_view(), name="venue-fault"),
    route("venues/<slug:key>/unblock", VenueUnblockView.as_view(), name="venue-unblock"),
    route("markets/symbols", MarketListView.as_view(), name="markets-symbols"),
    route("markets/feeds", FeedListView.as_view(), name="markets-feeds"),
    route("markets/kline", CandlesView.as_view(), name="markets-kline"),
    route("markets/orderbook", BookView.as_view(), name="markets-orderbook"),
    route("markets/ticker", TickerView.as_view(), name="markets-ticker"),
]
