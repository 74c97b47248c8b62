"""Writing media, whole or not at all."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from avpipe.files import written_whole
from avpipe.media.errors import UnwritableMedia

SOUNDFILE_SUFFIXES = frozenset((".wav", ".flac", ".ogg", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64"))

AUDIO_CODECS = {
    ".mp3": "libmp3lame",
    ".opus": "libopus",
    ".webm": "libopus",
    ".mka": "flac",
    ".mkv": "flac",
    ".ac3": "ac3",
    ".mp2": "mp2",
    ".mpg": "mp2",
    ".wma": "wmav2",
    ".avi": "pcm_s16le",
}
"""Encoder by suffix where none is named; AAC for the others (m4a, mp4, mov, ts, ...)."""

VIDEO_CODECS = {".webm": "libvpx-vp9", ".mkv": "ffv1", ".mpg": "mpeg1video", ".avi": "mpeg4"}
"""Encoder by suffix where none is named; H.264 for the others. Matroska is the lossless choice."""

LOSSLESS_RGB = {"ffv1": "bgr0", "libx264rgb": "rgb24", "rawvideo": "rgb24", "png": "rgb24"}
"""Pixel format by encoder where none is named; yuv420p for the others."""

STEADY_OPTIONS = {"libx264": {"mbtree": "0"}, "libx264rgb": {"mbtree": "0"}}
"""By encoder, without which it writes equal frames in differing bytes: x264's macroblock tree, in assembly, does so at
some sizes (160x120), on one thread too."""

BLOCK_SAMPLES = 1 << 16

MILLISECOND = Fraction(1, 1000)

LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def write_audio(
    path: Path,
    waveform: np.ndarray,
    sample_rate: int,
    *,
    subtype: str | None = None,
    codec: str | None = None,
    bit_rate: int | None = None,
) -> None:
    """Write sound; the suffix names the format.

    Args:
        path: where to; what stands there is replaced when the new file is whole.
        waveform: (channels, samples) float in [-1, 1]; what lies beyond is clipped by integer formats.
        sample_rate: Hz.
        subtype: soundfile's name of the stored form (``PCM_16``, ``PCM_24``, ``FLOAT``, ...).
        codec: FFmpeg's name of an encoder; with it FFmpeg writes even what soundfile could.
        bit_rate: bits per second, for coded sound.

    Raises:
        UnwritableMedia: a format, form or rate that cannot be written, or no room.
    """
    path = Path(path)
    with _written(path) as part:
        if codec is None and path.suffix.lower() in SOUNDFILE_SUFFIXES:
            _write_by_soundfile(part, np.asarray(waveform), sample_rate, subtype)
            return
        with av.open(part, "w") as container:
            stream = _add_audio(container, path, waveform, sample_rate, codec, bit_rate)
            _mux_sound(container, stream, waveform, 0, waveform.shape[1])
            container.mux(stream.encode(None))


def _write_by_soundfile(path: Path, waveform: np.ndarray, sample_rate: int, subtype: str | None) -> None:
    """In pieces: libsndfile's Vorbis encoder keeps what one call brings on its stack, and minutes overflow it."""
    with soundfile.SoundFile(path, "w", sample_rate, len(waveform), subtype) as file:
        for first in range(0, waveform.shape[1], BLOCK_SAMPLES // 16):
            file.write(waveform[:, first : first + BLOCK_SAMPLES // 16].T)


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float | Fraction = 25,
    times_sec: Sequence[float] | None = None,
    waveform: np.ndarray | None = None,
    sample_rate: int | None = None,
    codec: str | None = None,
    pixel_format: str | None = None,
    options: dict[str, str] | None = None,
    rotation_deg: int = 0,
    audio_codec: str | None = None,
) -> None:
    """Write frames, and sound where given; the suffix names the container.

    Args:
        path: where to; what stands there is replaced when the new file is whole.
        frames: (H, W, 3) uint8 RGB arrays of one size, taken one at a time.
        fps: frames per second, where no times are given.
        times_sec: presentation time of each frame, kept to the millisecond: variable rates, late starts.
        waveform: (channels, samples) float in [-1, 1], from time zero.
        sample_rate: Hz; needed with ``waveform``.
        codec: FFmpeg's name of a video encoder.
        pixel_format: FFmpeg's name of one that the encoder takes.
        options: of the encoder, as FFmpeg names them.
        rotation_deg: turn, counter-clockwise, that players are told to show the frames with.
        audio_codec: FFmpeg's name of an audio encoder.

    Raises:
        UnwritableMedia: a codec or format that cannot be written, no frames, or no room.
    """
    path = Path(path)
    images = iter(frames)
    with _written(path) as part, av.open(part, "w") as container:
        first = next(images, None)
        if first is None:
            raise ValueError("no frames")
        name = codec or VIDEO_CODECS.get(path.suffix.lower(), "libx264")
        settings = {**STEADY_OPTIONS.get(name, {}), **(options or {})}
        video = container.add_stream(name, rate=Fraction(fps).limit_denominator(1001), options=settings)
        assert isinstance(video, VideoStream)
        video.height, video.width = first.shape[:2]
        video.pix_fmt = pixel_format or LOSSLESS_RGB.get(name, "yuv420p")
        if rotation_deg:
            video.set_display_rotation(rotation_deg)
        sound = None
        if waveform is not None and sample_rate is not None:
            sound = _add_audio(container, path, waveform, sample_rate, audio_codec, None), waveform
        _mux_film(container, video, chain((first,), images), times_sec, sound)


def _mux_film(
    container: OutputContainer,
    video: VideoStream,
    images: Iterable[np.ndarray],
    times_sec: Sequence[float] | None,
    sound: tuple[AudioStream, np.ndarray] | None,
) -> None:
    """Encode frames one by one, and after each the sound up to its end."""
    unit = 1 / Fraction(video.codec_context.framerate) if times_sec is None else MILLISECOND
    video.time_base = video.codec_context.time_base = unit
    sounded = 0
    for index, image in enumerate(images):
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts = index if times_sec is None else round(times_sec[index] / unit)
        frame.time_base = unit
        container.mux(video.encode(frame))
        if sound is not None:
            stream, waveform = sound
            until = max(sounded, min(int((frame.pts + 1) * unit * stream.rate), waveform.shape[1]))
            _mux_sound(container, stream, waveform, sounded, until)
            sounded = until
    container.mux(video.encode(None))
    if sound is not None:
        stream, waveform = sound
        _mux_sound(container, stream, waveform, sounded, waveform.shape[1])
        container.mux(stream.encode(None))


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A part beside ``path``, renamed when written whole; whatever fails is an ``UnwritableMedia``."""
    try:
        with written_whole(path) as part:
            yield part
    except (av.FFmpegError, soundfile.SoundFileError, OSError, ValueError, TypeError, LookupError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnwritableMedia(path, f"cannot be written ({reason})", "choose another format or folder") from error


def _add_audio(
    container: OutputContainer,
    path: Path,
    waveform: np.ndarray,
    sample_rate: int,
    codec: str | None,
    bit_rate: int | None,
) -> AudioStream:
    name = codec or AUDIO_CODECS.get(path.suffix.lower(), "aac")
    stream = container.add_stream(name, rate=sample_rate, layout=LAYOUTS[waveform.shape[0]])
    assert isinstance(stream, AudioStream)
    if bit_rate is not None:
        stream.bit_rate = bit_rate
    return stream


def _mux_sound(container: OutputContainer, stream: AudioStream, waveform: np.ndarray, start: int, end: int) -> None:
    """Encode samples [start, end); PyAV converts to the encoder's sample format and frame size."""
    for first in range(start, end, BLOCK_SAMPLES):
        block = np.ascontiguousarray(waveform[:, first : min(end, first + BLOCK_SAMPLES)], dtype=np.float32)
        frame = AudioFrame.from_ndarray(block, format="fltp", layout=LAYOUTS[waveform.shape[0]])
        frame.sample_rate = stream.rate
        frame.pts, frame.time_base = first, Fraction(1, stream.rate)
        container.mux(stream.encode(frame))
