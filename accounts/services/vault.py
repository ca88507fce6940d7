"""Commands on the secrets as a whole."""

from django.db import transaction

from accounts.models import VenueAccount
from accounts.selectors import SECRET_FIELDS
from arbplatform.notices.channels import rotate_addresses


@transaction.atomic
def rotate_secrets() -> int:
    """Encrypt every secret again with the first of the configured keys: all of them or none.

    The addresses of channels to people are secrets too.

    Returns:
        How many accounts there are.

    Raises:
        SecretUnreadable: the configured keys do not open a secret; nothing was changed.
    """
    accounts = list(VenueAccount.objects.select_for_update(no_key=True).order_by("pk"))
    for account in accounts:
        account.save(update_fields=SECRET_FIELDS)
    rotate_addresses()
    return len(accounts)
