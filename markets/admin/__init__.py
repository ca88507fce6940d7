"""Venues, assets and markets in the console."""

from markets.admin.venues import AssetAdmin, MarketAdmin, VenueAdmin

__all__ = ["AssetAdmin", "MarketAdmin", "VenueAdmin"]
