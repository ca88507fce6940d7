"""The language that a terminal speaks."""

from collections.abc import Mapping

CHINESE = "zh_Hans"
"""The name of its catalogue."""


def find_language(environment: Mapping[str, str]) -> str:
    """Return the language by the rules of the shell; empty is English.

    Args:
        environment: of the process: the first variable that is set counts.
    """
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return CHINESE if environment[name].startswith("zh") else ""
    return ""
