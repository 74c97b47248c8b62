"""Choosing the way a file is rewritten."""

from pathlib import Path

from avpipe.media import containers
from avpipe.media.rewrite.forms import FilterFactory, Rewritten
from avpipe.media.rewrite.recording import plain_form, rewrite_recording
from avpipe.media.rewrite.remux import rewrite_container


def rewrite_sound(
    source: Path, destination: Path, make_filter: FilterFactory, audio_codec: str | None = None
) -> Rewritten:
    """Write a file anew with every audio stream passed through a filter, and everything else as it is.

    Each sound keeps its place in time to the sample, its rate, channels, bit depth and codec (about its bit rate);
    picture, subtitles, data, attachments, chapters, titles and languages are copied. Memory does not grow with length.

    Args:
        source: any media file with sound.
        destination: written directly, whatever stands there; its suffix names the format. After an error it may hold
            half a file.
        make_filter: called once for each audio stream that can be decoded.
        audio_codec: FFmpeg's name of the codec for sounds whose own cannot be encoded, or not into this format.

    Raises:
        UnreadableMedia: missing, forbidden, empty, not media.
        NoSuchStream: no sound.
        DamagedMedia: no sound that could be decoded.
        UnwritableMedia: a format, codec or stream that cannot be written, or no room.
        ArgumentError: ``audio_codec`` is none that this format can hold.
    """
    source, destination = Path(source), Path(destination)
    containers.readable_head(source)
    form = plain_form(source, destination)
    if form is not None:
        return rewrite_recording(source, destination, form, make_filter)
    return rewrite_container(source, destination, make_filter, audio_codec)
