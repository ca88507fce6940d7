"""Pages of the console about accounts, balances and transfers."""

from accounts.admin.accounts import BalanceAdmin, VenueAccountAdmin
from accounts.admin.transfers import TransferAdmin

__all__ = ["BalanceAdmin", "TransferAdmin", "VenueAccountAdmin"]
