"""Commands on assets."""

from collections.abc import Iterable

from django.db import transaction

from markets.models import Asset
from markets.selectors import list_assets


@transaction.atomic
def ensure_assets(codes: Iterable[str]) -> dict[str, Asset]:
    """Return an asset for every code, making those that are missing.

    Two callers may do so at once: neither fails, both get the same rows.

    Args:
        codes: unified asset codes.
    """
    wanted = set(codes)
    found = {asset.code: asset for asset in list_assets(wanted)}
    missing = sorted(wanted - found.keys())
    if missing:
        Asset.objects.bulk_create([Asset(code=code) for code in missing], ignore_conflicts=True)
        found |= {asset.code: asset for asset in list_assets(missing)}
    return found
