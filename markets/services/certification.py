"""Decides whether strategies may trade on a venue."""

from markets.errors import VenueNotCertified
from markets.gateway.capabilities import list_certified
from markets.models import Venue


def check_tradable(venue: Venue) -> None:
    """Refuse a venue that is for data only.

    Raises:
        VenueNotCertified: its class is not certified, it is not on this machine, and no operator
            answers for it.
    """
    if not venue.is_tradable:
        raise VenueNotCertified(
            venue=venue.code, ccxt_id=venue.ccxt_id, certified=", ".join(list_certified())
        )
