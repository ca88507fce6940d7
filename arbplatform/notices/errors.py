"""What can go wrong with channels and notices; an address is in none of these."""

from arbplatform.core.errors import Conflict, Denied, NotFound, Unavailable


class ChannelNotFound(NotFound):
    """No channel has this id."""

    code = 1070
    summary = "There is no channel with the id {id}."


class ChannelNameTaken(Conflict):
    """Another channel has this name."""

    code = 1071
    summary = "Another channel is called {name}. Choose another name."


class NoticeRefused(Unavailable):
    """The service of a channel answered, but did not take the message."""

    code = 1072
    summary = (
        "The service answered that it did not take the message (status {status}, its own code "
        "{answer}). Look whether the robot still exists, and whether its rules let the word "
        "arbplatform pass."
    )


class ChannelUnreachable(Unavailable):
    """The service of a channel did not answer, or not in time."""

    code = 1073
    summary = "The service does not answer ({cause}). Look whether this machine reaches it."


class ChannelForbidden(Denied):
    """An address leads to where no notice may go."""

    code = 1074
    summary = (
        "The address leads into a private network, and NOTICES_PRIVATE is off. Nothing was sent."
    )


class ChannelDisabled(Conflict):
    """A channel that is switched off was asked to carry something."""

    code = 1075
    summary = "The channel {name} is switched off. Enable it first."
