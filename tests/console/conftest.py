"""The console with something to look at."""

import pytest

from tests.populated import populated


@pytest.fixture
def platform(db):
    """A platform in which something has happened."""
    with populated() as found:
        yield found
