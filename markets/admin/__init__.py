"""Venues, assets and markets in the console."""

from markets.admin.markets import AssetAdmin, MarketAdmin
from markets.admin.venues import VenueAdmin

__all__ = ["AssetAdmin", "MarketAdmin", "VenueAdmin"]
