"""A data directory that lives no longer than the process that made it, for the tests."""

import atexit
import subprocess
import tempfile


def scratch_directory() -> str:
    """Make a directory that is removed when this process ends, however it ends.

    What removes it waits for the end of a pipe: that comes after a kill too, and where a program
    leaves by ``os._exit``, as mypy does. It has a session of its own, since Ctrl-C ends a group.

    Returns:
        The directory's path; the processes that this one starts may work in it.
    """
    path = tempfile.mkdtemp(prefix="arbplatform-tests-")
    remover = subprocess.Popen(  # noqa: S603  the path is an argument, no part of the script
        ["/bin/sh", "-c", 'read -r _; rm -rf -- "$0"', path],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # who reads all that we write waits for nobody else
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(remover.communicate)
    return path
