"""Pages of the console about accounts, balances, transfers and their rules."""

from accounts.admin.accounts import BalanceAdmin, VenueAccountAdmin
from accounts.admin.limits import TransferLimitAdmin
from accounts.admin.rules import AddressEntryAdmin, RuleChangeAdmin, VenueNetworkAdmin
from accounts.admin.transfers import TransferAdmin

__all__ = [
    "AddressEntryAdmin",
    "BalanceAdmin",
    "RuleChangeAdmin",
    "TransferAdmin",
    "TransferLimitAdmin",
    "VenueAccountAdmin",
    "VenueNetworkAdmin",
]
