"""``manage.py demo``: the platform for a minute on a scratch directory, then a reckoning."""

from arbplatform.management.launch_command import LaunchCommand


class Command(LaunchCommand):
    """Trades on simulated venues for a while, then checks every book."""

    help = "Trade on simulated venues in a scratch directory for a while, then check every book."
    launched = "demo"
