"""Checksums of order books, over the digits that the venue wrote."""

from zlib import crc32

from markets.domain.live_book import LiveBook

INTERLEAVED_LEVELS = 25
KRAKEN_LEVELS = 10
_SIGN_BIT = 1 << 31


def interleaved_crc32(book: LiveBook) -> int:
    """Return the signed CRC-32 over the best 25 levels, bid and ask in turn: OKX and Bitget.

    When one side is shorter, the rest of the other follows.
    """
    bids = list(map(":".join, book.bids.top(INTERLEAVED_LEVELS)))
    asks = list(map(":".join, book.asks.top(INTERLEAVED_LEVELS)))
    shorter = min(len(bids), len(asks))
    parts = [part for pair in zip(bids, asks, strict=False) for part in pair]
    parts += bids[shorter:] or asks[shorter:]
    unsigned = crc32(":".join(parts).encode())
    return (unsigned ^ _SIGN_BIT) - _SIGN_BIT


def kraken_crc32(book: LiveBook) -> int:
    """Return the CRC-32 over the best 10 asks and then bids, points and leading zeros left out."""
    digits = [
        number.replace(".", "").lstrip("0")
        for side in (book.asks, book.bids)
        for level in side.top(KRAKEN_LEVELS)
        for number in level
    ]
    return crc32("".join(digits).encode())
