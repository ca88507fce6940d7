"""What can go wrong in the books."""

from arbplatform.core.errors import Bug, Conflict


class Imbalanced(Bug):
    """The lines of an entry do not sum to zero in every asset: a bug, nothing was booked."""

    code = 4001
    summary = "The entry {key} does not balance in {asset}: the lines sum to {total}."


class ImmutableRecord(Conflict):
    """Facts are inserted; a correction is a new fact."""

    code = 4002
    summary = "Booked facts cannot be changed or deleted. Book a reversal instead."
