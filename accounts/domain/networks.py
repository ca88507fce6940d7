"""Our names of networks, and what networks demand of an address."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ARBITRUM": "ARB",
        "ARBITRUMONE": "ARB",
        "ARBONE": "ARB",
        "AVALANCHEC": "AVAXC",
        "AVALANCHECCHAIN": "AVAXC",
        "AVAXCCHAIN": "AVAXC",
        "BEP20": "BSC",
        "BITCOIN": "BTC",
        "BNBSMARTCHAIN": "BSC",
        "DOGECOIN": "DOGE",
        "ERC20": "ETH",
        "ETHEREUM": "ETH",
        "LITECOIN": "LTC",
        "OPTIMISM": "OP",
        "POLYGON": "MATIC",
        "POL": "MATIC",
        "RIPPLE": "XRP",
        "SOLANA": "SOL",
        "SPL": "SOL",
        "STELLAR": "XLM",
        "STELLARLUMENS": "XLM",
        "TONCOIN": "TON",
        "TRC20": "TRX",
        "TRON": "TRX",
    }
)
"""Other names that venues give to a network, without blanks and signs. They are suggestions: at a
real venue a person confirms what it means by a name."""

TAG_NETWORKS: Final = frozenset(
    {
        "ATOM",
        "BEP2",
        "CRO",
        "EOS",
        "HBAR",
        "HIVE",
        "INJ",
        "IOST",
        "KAVA",
        "LUNA",
        "LUNC",
        "OSMO",
        "STEEM",
        "STX",
        "TIA",
        "TON",
        "XEM",
        "XLM",
        "XRP",
    }
)
"""Networks on which exchanges share one address between customers and tell them apart by a tag:
a transfer without it is lost. By the network's name, or the asset's where it is the network's own.
"""


def canonical_network(name: str) -> str:
    """Return our name of a network.

    >>> canonical_network(" trc-20 "), canonical_network("BTC"), canonical_network("")
    ('TRX', 'BTC', '')
    """
    plain = "".join(letter for letter in name.upper() if letter.isalnum())
    return ALIASES.get(plain, plain)


def needs_tag(*, asset: str, network: str) -> bool:
    """Return whether funds that are sent without a tag would be lost.

    Args:
        asset: its code.
        network: any name of it; empty: the asset's own network.
    """
    return canonical_network(network or asset) in TAG_NETWORKS


def is_on_network(stated: str | None, *, network: str, venue_name: str | None) -> bool:
    """Return whether an address may be on a network, by what its venue says where it is.

    Args:
        stated: the venue's name of the network that the address is on; ``None``: it does not say.
        network: our name of the network that is meant; empty: the only one.
        venue_name: the name that the venue was asked by.

    >>> is_on_network("ERC-20", network="ETH", venue_name="Ether"), is_on_network(
    ...     "BSC", network="ETH", venue_name="Ether"
    ... )
    (True, False)
    """
    return not stated or stated == venue_name or canonical_network(stated) == network
