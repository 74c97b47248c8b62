"""What can be wrong with a media file."""

from avpipe.errors import AvpipeError


class MediaError(AvpipeError):
    """A file that cannot be read or written as media."""

    exit_status = 1


class UnreadableMedia(MediaError):
    """Missing, forbidden, empty, or not media at all."""


class NoSuchStream(MediaError):
    """Media without the sound or the picture that was asked for."""


class DamagedMedia(MediaError):
    """Media of which nothing could be decoded."""


class UnwritableMedia(MediaError):
    """A target, codec or format that cannot be written."""
