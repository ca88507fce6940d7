"""Property tests here compare with brute force: what counts is the answer, not the time."""

from hypothesis import settings

settings.register_profile("patient")
settings.load_profile("patient")
