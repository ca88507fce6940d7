"""``manage.py up``: everything that the platform needs, supervised by one process."""

from arbplatform.management.launch_command import LaunchCommand


class Command(LaunchCommand):
    """Runs everything on embedded defaults."""

    help = (
        "Run everything on embedded defaults: web, worker, engine, scanner, scheduler, Redis, "
        "simulated venues."
    )
    launched = "up"
