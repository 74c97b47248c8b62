"""Media files in, clips out: probing, reading, streaming, writing. The only importer of PyAV; numpy, no torch."""

from avpipe.media.boxes import BoxTrack, boxes_file, find_boxes, read_boxes
from avpipe.media.clip import Clip, ClipFormat, Coverage, WindowPlan
from avpipe.media.content import decoded_sha256
from avpipe.media.errors import DamagedMedia, MediaError, NoSuchStream, UnreadableMedia, UnwritableMedia
from avpipe.media.info import AudioStream, MediaInfo, VideoStream
from avpipe.media.probe import probe
from avpipe.media.rewrite import FilterFactory, Rewritten, RewrittenSound, SoundFilter, SoundForm, rewrite_sound
from avpipe.media.samples import Resampler
from avpipe.media.stream import ClipStream, read_clip, stream_clips
from avpipe.media.walk import FILM_SUFFIXES, MEDIA_SUFFIXES, find_media
from avpipe.media.write import write_audio, write_video

__all__ = [
    "FILM_SUFFIXES",
    "MEDIA_SUFFIXES",
    "AudioStream",
    "BoxTrack",
    "Clip",
    "ClipFormat",
    "ClipStream",
    "Coverage",
    "DamagedMedia",
    "FilterFactory",
    "MediaError",
    "MediaInfo",
    "NoSuchStream",
    "Resampler",
    "Rewritten",
    "RewrittenSound",
    "SoundFilter",
    "SoundForm",
    "UnreadableMedia",
    "UnwritableMedia",
    "VideoStream",
    "WindowPlan",
    "boxes_file",
    "decoded_sha256",
    "find_boxes",
    "find_media",
    "probe",
    "read_boxes",
    "read_clip",
    "rewrite_sound",
    "stream_clips",
    "write_audio",
    "write_video",
]
