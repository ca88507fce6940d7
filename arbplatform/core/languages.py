"""The language that a terminal speaks."""

from collections.abc import Mapping

CHINESE = "zh_Hans"
"""The name of its catalogue."""


def find_language(environment: Mapping[str, str]) -> str:
    """Return the language that was chosen for the platform, else by the rules of the shell.

    Args:
        environment: of the process: the first variable that is set, and not empty, counts.

    Returns:
        The name of a catalogue; empty: English.
    """
    for name in ("ARB_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return CHINESE if environment[name].startswith("zh") else ""
    return ""
