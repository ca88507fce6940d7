"""What networks demand of an address."""

from typing import Final

TAG_NETWORKS: Final = frozenset(
    {
        "ATOM",
        "BEP2",
        "EOS",
        "HBAR",
        "HIVE",
        "IOST",
        "KAVA",
        "LUNA",
        "LUNC",
        "STEEM",
        "STX",
        "TON",
        "XEM",
        "XLM",
        "XRP",
    }
)
"""Networks on which exchanges share one address between customers and tell them apart by a tag:
a transfer without it is lost. By the network's name, or the asset's where it is the network's own.
"""


def needs_tag(*, asset: str, network: str) -> bool:
    """Return whether funds that are sent without a tag would be lost.

    Args:
        asset: its code.
        network: its unified name; empty: the asset's own network.
    """
    return (network or asset).upper() in TAG_NETWORKS
