"""Failures on purpose: what real venues do to their clients at the worst moment."""
