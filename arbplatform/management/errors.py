"""What keeps the platform from starting. The terminal shows the code beside the sentence."""

from arbplatform.core.errors import ArbError, Conflict, InvalidInput, Unavailable


class AlreadyRuns(Conflict):
    """Another supervisor has the data directory."""

    code = 1050
    summary = (
        "The data directory {path} is in use by an arbplatform that runs already (process "
        "{owner}). Stop that one first, or choose another directory with --data-dir."
    )


class PortTaken(Conflict):
    """Another program listens on the port."""

    code = 1051
    summary = (
        "The port {port} is in use by another program. Stop that one, or choose another port with "
        "--port."
    )


class AddressUnusable(InvalidInput):
    """The address to listen on is none of this machine, or not ours to use."""

    code = 1052
    summary = (
        "The address {host}:{port} cannot be listened on: {reason}. Choose another one with --host "
        "and --port."
    )


class DirectoryUnusable(Unavailable):
    """The data directory cannot be made or written to: read-only, full, or another's."""

    code = 1053
    summary = (
        "The data directory {path} cannot be used: {reason}. Choose another one with --data-dir, "
        "or see to it that this one can be written to."
    )


class RedisMissing(Unavailable):
    """There is no Redis server program."""

    code = 1054
    summary = (
        "There is no Redis server on this machine. Run `make run`, which installs one, or set "
        "REDIS_URL to the address of yours."
    )


class RedisUnusable(Unavailable):
    """The Redis server does not answer, or refuses us."""

    code = 1055
    summary = (
        "The Redis server at {address} cannot be used: {reason}. Check REDIS_URL, or leave it "
        "empty to use the embedded server."
    )


class DatabaseAddressWrong(InvalidInput):
    """No database can be at the address that was given."""

    code = 1056
    summary = (
        "DATABASE_URL is not the address of a database. Write it as "
        "postgres://user:password@host:5432/name or sqlite:////path/to/file, with special "
        "characters of the password percent-encoded, or leave it empty."
    )


class DatabaseUnusable(Unavailable):
    """The database cannot be reached, or refuses us."""

    code = 1057
    summary = (
        "The database {address} cannot be used: {reason}. Check DATABASE_URL, and that the server "
        "runs, lets this user in and has room on its disk."
    )


class PartNotStarting(Unavailable):
    """A process ends again and again, or does not answer."""

    code = 1058
    summary = (
        "The part {name} does not start. Read the end of logs/{name}.log in the data directory, "
        "mend what it says and start again."
    )


class StepFailed(Unavailable):
    """A command beside the platform ended without a report."""

    code = 1059
    summary = (
        "The step {name} failed. Read the end of logs/{name}.log in the data directory {path}."
    )


class VenuesSilent(Unavailable):
    """The simulated venues do not answer."""

    code = 1060
    summary = (
        "The simulated venues at {url} do not answer. Read the end of logs/simulator.log in the "
        "data directory, mend what it says and start again."
    )


class DirectoryNotEmpty(Conflict):
    """The demo was to run where something is kept already."""

    code = 1061
    summary = (
        "The directory {path} is not empty, and the demo would mix its trades with what is there. "
        "Name an empty one."
    )


class RedisAddressWrong(InvalidInput):
    """No Redis server can be at the address that was given."""

    code = 1062
    summary = (
        "REDIS_URL is not the address of a Redis server. Write it as "
        "redis://:password@host:6379/0, rediss://… or unix:///path/to/socket, with special "
        "characters of the password percent-encoded, or leave it empty."
    )


class SecretsMissing(InvalidInput):
    """Settings that make no secrets of their own were chosen, and the environment lacks some."""

    code = 1063
    summary = (
        "{names} must be set: {settings} makes no secrets of its own. "
        "`.venv/bin/python -m arbplatform.settings.env` prints new ones; an installation that has "
        "traded already needs the ones it had."
    )


class ConfigurationRefused(InvalidInput):
    """The settings do not load, or the checks find something that has to be mended first."""

    code = 1064
    summary = (
        "The configuration is refused, and nothing was started. {problems} Mend this and start "
        "again."
    )


TOLD_BY_STEPS: dict[int, type[ArbError]] = {
    error.code: error
    for error in (ConfigurationRefused, DatabaseUnusable, RedisUnusable, VenuesSilent)
}
"""What a step may tell the supervisor by its code; all else is only known to be in the way."""
