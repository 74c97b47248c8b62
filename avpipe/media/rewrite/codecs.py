"""Which encoder writes a sound, and how."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from av.audio.stream import AudioStream
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.container import InputContainer, OutputContainer

from avpipe.errors import ArgumentError
from avpipe.media.errors import UnwritableMedia
from avpipe.media.rewrite.output import is_admitted
from avpipe.media.write import LAYOUTS

VORBIS = "vorbis"
"""Written by soundfile: FFmpeg's own encoder of this name is experimental, and libvorbis is not in PyAV's wheels."""

VORBIS_FORMATS = frozenset(("ogg", "oga", "matroska", "webm"))

CHOICES = "aac alac flac mp3 opus vorbis ac3 eac3 mp2 wavpack tta wmav2 pcm_s16le pcm_s24le pcm_f32le pcm_s16be".split()  # noqa: SIM905
"""Codecs offered where a sound's own cannot be written."""

SOUND_ONLY_FORMATS = {
    "mp3": "mp3",
    "adts": "aac",
    "ipod": "aac",
    "flac": "flac",
    "opus": "opus",
    "ogg": "vorbis",
    "oga": "vorbis",
    "ac3": "ac3",
    "eac3": "eac3",
    "mp2": "mp2",
    "tta": "tta",
    "wv": "wavpack",
    "wav": "pcm_s16le",
    "w64": "pcm_s16le",
    "au": "pcm_s16be",
    "aiff": "pcm_s16be",
    "caf": "pcm_s16be",
}
"""Codec by format where the format's name says what is in it: who names the format has named the codec."""

LEAST_BIT_RATE = {"aac": 48_000, "mp3": 40_000, "opus": 32_000, "vorbis": 48_000}
"""Bits per second and channel: with less these encoders would do worse than the source's may have at the same rate."""

MOST_BIT_RATE = {"aac": 288_000, "mp3": 320_000, "opus": 256_000, "vorbis": 250_000, "ac3": 320_000}
"""Bits per second and channel that the encoders take."""

USUAL_BIT_RATE = 96_000
"""Bits per second and channel, where neither the source nor the codec's own nature tells."""

LOSSLESS_BITS = {"u8": 8, "s16": 16, "s32": 24}
"""Depth of a lossless codec's sound by its packed sample format; of 32 bits float32 would keep no more than 24."""


LOSSLESS_AS_ENCODED = ("wavpack",)
"""Codecs that can lose, but not as FFmpeg writes them."""


@dataclass(frozen=True, slots=True)
class EncoderForm:
    """An encoder and its settings."""

    encoder: str
    codec: str
    """What it writes."""
    sample_rate: int
    """Hz; another than the sound's only where the codec does not know that."""
    layout: str
    sample_format: str
    """FFmpeg's name."""
    bit_depth: int | None
    """None of lossy codecs."""
    bit_rate: int | None
    """Bits per second; None of lossless codecs."""


@dataclass(frozen=True, slots=True)
class SoundToEncode:
    """A sound as it comes out of its decoder and filter."""

    codec: str
    sample_rate: int
    """Hz."""
    channels: int
    layout: str
    sample_format: str
    """Packed, FFmpeg's name."""
    bit_rate: int | None
    container: str
    """FFmpeg's name of the format it comes from."""


def described(stream: AudioStream, sample_rate: int, channels: int, layout: str) -> SoundToEncode:
    """What an encoder has to know of a decoded stream."""
    tagged = stream.metadata.get("BPS", "")  # Matroska's way of telling a stream's bit rate
    container = stream.container
    alone = container.bit_rate if isinstance(container, InputContainer) and len(container.streams) == 1 else None
    bit_rate = stream.bit_rate or (int(tagged) if tagged.isdecimal() else None) or alone
    packed = stream.format.packed.name
    codec = stream.codec.canonical_name
    return SoundToEncode(codec, sample_rate, channels, layout, packed, bit_rate, container.format.name)


def encoder_form(source: Path, sound: SoundToEncode, format: str, audio_codec: str | None) -> EncoderForm:
    """How a sound of a source is to be written into a format: in its own codec where that can be.

    Raises:
        UnwritableMedia: not in its own, and no other is named.
        ArgumentError: the other is no encoder, or not for this format.
    """
    form_of = partial(_admitted_form, sound=sound, format=format)
    if audio_codec is not None and not has_encoder(audio_codec):
        raise ArgumentError("audio_codec", f"{audio_codec!r} is no codec that can be written", _choices(form_of))
    usual = SOUND_ONLY_FORMATS.get(format, "")
    # A wav can hold mp3; but who turns an mp3 into a wav wants samples.
    unwanted = usual.startswith("pcm_") and sound.container != format and not sound.codec.startswith("pcm_")
    form = None if unwanted else form_of(sound.codec)
    if form is None and audio_codec is not None:
        form = form_of(audio_codec)
        if form is None:
            reason = f"{audio_codec} cannot be written into {format} ({_in_words(sound)})"
            raise ArgumentError("audio_codec", reason, _choices(form_of))
    if form is None and usual:
        form = form_of(usual)
    if form is None:
        raise UnwritableMedia(
            source, f"its sound ({_in_words(sound)}) cannot be written into {format}", _choices(form_of)
        )
    return form


def has_encoder(codec: str) -> bool:
    """Whether this FFmpeg writes sound by this name."""
    try:
        return Codec(codec, "w").type == "audio"
    except UnknownCodecError:
        return False


def _in_words(sound: SoundToEncode) -> str:
    unnamed = sound.layout.endswith("channels")
    layout = LAYOUTS.get(sound.channels, sound.layout) if unnamed else sound.layout
    return f"{sound.codec}, {sound.sample_rate} Hz, {layout}"


def _choices(form_of: Callable[[str], EncoderForm | None]) -> str:
    names = [name for name in CHOICES if form_of(name) is not None]
    return f"choose audio_codec={'|'.join(names)}" if names else "choose another format, such as .mkv"


def _admitted_form(codec: str, sound: SoundToEncode, format: str) -> EncoderForm | None:
    """How to write a codec into a format; None where that cannot be."""
    if codec == VORBIS:
        if format not in VORBIS_FORMATS or sound.channels not in LAYOUTS:
            return None
        rate, layout = sound.sample_rate, LAYOUTS[sound.channels]
        return EncoderForm(VORBIS, VORBIS, rate, layout, "fltp", None, _bit_rate(VORBIS, sound))
    try:
        encoder = Codec(codec, "w")
    except UnknownCodecError:
        return None
    if encoder.type != "audio":
        return None
    form = _form(encoder, sound)
    layouts = dict.fromkeys((sound.layout, LAYOUTS.get(sound.channels, sound.layout)))
    forms = (replace(form, layout=layout) for layout in layouts if not layout.endswith("channels"))
    return next((one for one in forms if is_admitted(format, partial(add_encoded, form=one))), None)


def _form(encoder: Codec, sound: SoundToEncode) -> EncoderForm:
    codec, rates = encoder.canonical_name, encoder.audio_rates or [sound.sample_rate]
    # Rather too many samples than too few.
    rate = min((rate for rate in rates if rate >= sound.sample_rate), default=max(rates))
    lossless = encoder.lossless and (not encoder.lossy or codec in LOSSLESS_AS_ENCODED)
    formats = {one.packed.name: one.name for one in encoder.audio_formats or []}
    preferred = (sound.sample_format, "s32", "s16", "flt") if lossless else ("flt", "dbl", "s16", "s32")
    packed = next((name for name in preferred if name in formats), next(iter(formats), "flt"))
    stored = re.search(r"_[suf](8|16|24|32|64)", codec)
    if stored is not None:
        bit_depth: int | None = int(stored[1])
    elif codec in ("pcm_mulaw", "pcm_alaw"):
        bit_depth = 8
    else:
        bit_depth = LOSSLESS_BITS.get(packed) if lossless else None
    bit_rate = None if lossless or codec.startswith(("pcm_", "adpcm_")) else _bit_rate(codec, sound)
    return EncoderForm(encoder.name, codec, rate, sound.layout, formats.get(packed, packed), bit_depth, bit_rate)


def _bit_rate(codec: str, sound: SoundToEncode) -> int:
    """About the source's, in bits per second."""
    lossy_source = (
        sound.bit_rate is not None
        and not sound.codec.startswith("pcm_")
        and sound.codec not in ("flac", "alac", "tta", "wavpack", "truehd")
    )
    wanted = sound.bit_rate if lossy_source and sound.bit_rate else USUAL_BIT_RATE * sound.channels
    least, most = LEAST_BIT_RATE.get(codec, 32_000), MOST_BIT_RATE.get(codec, 320_000)
    return min(max(wanted, least * sound.channels), most * sound.channels)


def add_encoded(container: OutputContainer, form: EncoderForm) -> AudioStream:
    """Add a stream that FFmpeg encodes."""
    stream = container.add_stream(form.encoder, rate=form.sample_rate, layout=form.layout, format=form.sample_format)
    assert isinstance(stream, AudioStream)
    if form.bit_rate is not None:
        stream.bit_rate = form.bit_rate
    return stream
