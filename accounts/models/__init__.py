"""Accounts at venues, what they hold, transfers between them, and the rules of transfers."""

from accounts.models.accounts import Balance, VenueAccount, WalletChoice
from accounts.models.reservations import Reservation, ReservationPurpose, ReservedTotal
from accounts.models.rules import (
    AddressEntry,
    AddressStateChoice,
    RuleChange,
    RuleKindChoice,
    TransferLimit,
    VenueNetwork,
)
from accounts.models.transfers import Transfer, TransferStateChoice

__all__ = [
    "AddressEntry",
    "AddressStateChoice",
    "Balance",
    "Reservation",
    "ReservationPurpose",
    "ReservedTotal",
    "RuleChange",
    "RuleKindChoice",
    "Transfer",
    "TransferLimit",
    "TransferStateChoice",
    "VenueAccount",
    "VenueNetwork",
    "WalletChoice",
]
