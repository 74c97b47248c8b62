"""Rewriting recordings: every sound goes through its filter, comes back at its place, and all else stays."""

import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.audio.stream import AudioStream
from av.stream import Disposition

from avpipe.errors import ArgumentError, AvpipeError
from avpipe.media import (
    DamagedMedia,
    MediaError,
    NoSuchStream,
    Rewritten,
    SoundForm,
    UnreadableMedia,
    UnwritableMedia,
    read_clip,
    rewrite_sound,
    write_audio,
    write_video,
)
from avpipe.media.rewrite import recording
from tests.synthetic import coloured_frames, damage, noise, truncate, write_noise_wav, write_text_named_wav


class Gain:
    """Multiplies, and holds samples back."""

    def __init__(self, form: SoundForm, gain: float = 1.0, held: int = 0) -> None:
        self._gain = np.float32(gain)
        self._held = held
        self._rest = np.zeros((form.channels, 0), np.float32)

    def push(self, block: np.ndarray) -> np.ndarray:
        assert block.dtype == np.float32
        waiting = np.concatenate([self._rest, block * self._gain], axis=1)
        ready = max(0, waiting.shape[1] - self._held)
        self._rest = waiting[:, ready:]
        return waiting[:, :ready]

    def finish(self) -> np.ndarray:
        return self._rest


class Forgetful(Gain):
    """Breaks the rule that as much comes out as went in."""

    def finish(self) -> np.ndarray:
        return self._rest[:, :-1]


def held_back(form: SoundForm) -> Gain:
    """An identity that is 1000 samples late until it is finished."""
    return Gain(form, held=1000)


def smooth_noise(samples: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """(channels, samples) float32 that lossy codecs keep well, and of which no two stretches are alike."""
    rough = np.random.default_rng(seed).standard_normal((channels, samples + 23))
    window = np.hanning(26)[1:-1] / 40
    return np.stack([np.convolve(row, window, "valid") for row in rough]).astype(np.float32)


def lag_of(late: np.ndarray, reference: np.ndarray) -> int:
    """By how many samples one recording comes after another."""
    size = 2 * max(late.shape[-1], reference.shape[-1])
    spectra = [np.fft.rfft(one.mean(axis=0), size) for one in (late, reference)]
    place = int(np.argmax(np.fft.irfft(spectra[0] * spectra[1].conj(), size)))
    return place - size if place > size // 2 else place


def rewritten(source: Path, name: str | None = None, audio_codec: str | None = None) -> tuple[Path, Rewritten]:
    """The file written of a source by ``held_back``, and what was said of it."""
    folder = source.parent / "out"
    folder.mkdir(exist_ok=True)
    destination = folder / (name or source.name)
    return destination, rewrite_sound(source, destination, held_back, audio_codec)


def packets_of(path: Path, index: int) -> list[tuple[bytes, int | None, bool]]:
    """Content, presentation time and key flag of each packet of a stream."""
    with av.open(path) as container:
        return [
            (bytes(packet), packet.pts, packet.is_keyframe)
            for packet in container.demux(container.streams[index])
            if packet.size
        ]


def sound_of(path: Path) -> np.ndarray:
    waveform = read_clip(path).waveform
    assert waveform is not None
    return waveform


PLAIN_FORMS = [
    (format, subtype)
    for format in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU")
    for subtype in ("PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
    if soundfile.check_format(format, subtype)
]


@pytest.mark.parametrize(("format", "subtype"), PLAIN_FORMS)
def test_plain_recordings_keep_form_and_samples(tmp_path: Path, format: str, subtype: str) -> None:
    suffix = {"WAVEX": "wav", "RF64": "wav"}.get(format, format.lower())
    source = tmp_path / f"a.{suffix}"
    soundfile.write(source, smooth_noise(5000, 2).T, 44_100, subtype, format=format)
    destination, result = rewritten(source)
    old, new = soundfile.info(source), soundfile.info(destination)
    assert (new.format, new.subtype, new.samplerate) == (old.format, old.subtype, old.samplerate)
    np.testing.assert_array_equal(soundfile.read(destination)[0], soundfile.read(source)[0])
    (sound,) = result.sounds
    assert (sound.sample_format, sound.samples, sound.channels) == (subtype, 5000, 2)
    assert result.coverage.losses() == []


def test_floats_give_the_same_bytes_at_any_time(tmp_path: Path) -> None:
    sources = [tmp_path / name for name in ("a.wav", "a.aiff", "a.caf", "a.w64")]
    for source in sources:
        soundfile.write(source, smooth_noise(500).T, 44_100, "FLOAT")
    once = [rewritten(source)[0].read_bytes() for source in sources]
    time.sleep(1.1)  # libsndfile knows seconds
    assert [rewritten(source)[0].read_bytes() for source in sources] == once


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac_keeps_bits_tags_and_cover(tmp_path: Path, subtype: str) -> None:
    source = tmp_path / "a.flac"
    write_tagged(source, "flac", sample_format="s16" if subtype == "PCM_16" else "s32", cover=True)
    destination, result = rewritten(source)
    assert soundfile.info(destination).subtype == subtype
    np.testing.assert_array_equal(sound_of(destination), sound_of(source))
    assert_tags_and_cover_kept(source, destination)
    assert result.sounds[0].bit_depth == int(subtype[4:])


def write_tagged(
    path: Path,
    encoder: str,
    *,
    rate_hz: int = 48_000,
    samples: int = 30_000,
    channels: int = 2,
    sample_format: str | None = None,
    cover: bool = False,
) -> np.ndarray:
    """A recording with titles, and a cover where asked for."""
    waveform = smooth_noise(samples, channels)
    with av.open(path, "w", format="mp4" if path.suffix == ".m4a" else None) as container:
        container.metadata.update({"title": "Ein Täst", "artist": "Nobody"})
        stream = container.add_stream(encoder, rate=rate_hz, layout={1: "mono", 2: "stereo", 6: "5.1"}[channels])
        assert isinstance(stream, AudioStream)
        if sample_format:
            stream.format = sample_format
        if cover:
            picture = container.add_stream("mjpeg", rate=1, width=16, height=16, pix_fmt="yuvj420p")
            picture.disposition = Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(coloured_frames(1, 16, 16)[0], format="rgb24")
            frame.pts = 0
            container.mux([*picture.encode(frame), *picture.encode(None)])
        container.mux([*stream.encode(frame_of(waveform, rate_hz)), *stream.encode(None)])
    return waveform


def frame_of(waveform: np.ndarray, rate_hz: int) -> av.AudioFrame:
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[waveform.shape[0]]
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform), format="fltp", layout=layout)
    frame.sample_rate, frame.pts = rate_hz, 0
    return frame


def assert_tags_and_cover_kept(source: Path, destination: Path) -> None:
    covers = []
    for path in (source, destination):
        with av.open(path) as container:
            titles = container.metadata | container.streams.audio[0].metadata
            titles = {name.lower(): text for name, text in titles.items()}
            assert (titles["title"], titles["artist"]) == ("Ein Täst", "Nobody")
            assert container.streams.video[0].disposition & Disposition.attached_pic
            index = container.streams.video[0].index
        covers.append(packets_of(path, index)[0][0])
    assert covers[0] == covers[1]


CODED = [
    ("a.mp3", "libmp3lame", 0),
    ("a.opus", "libopus", 0),
    ("a.ogg", "libopus", 0),
    ("a.webm", "libopus", 0),
    ("a.m4a", "aac", 1023),
    ("a.m4a", "alac", 0),
    ("a.mka", "aac", 1023),
    ("a.mka", "libmp3lame", 0),
    ("a.mka", "ac3", 1535),
    ("a.aac", "aac", 1023),
    ("a.mp2", "mp2", 1151),
    ("a.ac3", "ac3", 1535),
    ("a.ts", "aac", 1023),
]


@pytest.mark.parametrize(("name", "encoder", "slack"), CODED)
def test_coded_sound_stays_in_place(tmp_path: Path, name: str, encoder: str, slack: int) -> None:
    write_tagged(tmp_path / name, encoder)
    destination, result = rewritten(tmp_path / name)
    old, new = sound_of(tmp_path / name), sound_of(destination)
    assert lag_of(new, old) == 0
    assert 0 <= new.shape[1] - old.shape[1] <= slack
    error = new[:, : old.shape[1]] - old
    assert (error**2).mean() < 0.1 * (old**2).mean()
    (sound,) = result.sounds
    assert sound.codec == sound.codec_written
    assert sound.samples == old.shape[1]


@pytest.mark.parametrize(("name", "encoder"), [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.flac", "flac")])
def test_tags_and_cover_of_coded_sound_stay(tmp_path: Path, name: str, encoder: str) -> None:
    write_tagged(tmp_path / name, encoder, cover=True)
    destination, result = rewritten(tmp_path / name)
    assert_tags_and_cover_kept(tmp_path / name, destination)
    assert result.left_out == ()
    assert lag_of(sound_of(destination), sound_of(tmp_path / name)) == 0


def test_covers_go_into_other_formats(tmp_path: Path) -> None:
    write_tagged(tmp_path / "a.mp3", "libmp3lame", cover=True)
    for name in ("a.opus", "a.mka"):
        destination, _ = rewritten(tmp_path / "a.mp3", name)
        assert_tags_and_cover_kept(tmp_path / "a.mp3", destination)
    _, result = rewritten(tmp_path / "a.mp3", "a.wav")
    assert result.left_out == ("video stream 1 (mjpeg)",)
    assert result.sounds[0].codec_written == "pcm_s16le"


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("name", ["a.ogg", "a.webm"])
def test_vorbis_stays_vorbis(tmp_path: Path, name: str, channels: int) -> None:
    waveform = smooth_noise(40_000, channels)
    with soundfile.SoundFile(tmp_path / "a.ogg", "w", 44_100, channels, "VORBIS", format="OGG") as file:
        file.title, file.artist = "Ein Täst", "Nobody"
        for first in range(0, 40_000, 4096):
            file.write(waveform[:, first : first + 4096].T)
    destination, result = rewritten(tmp_path / "a.ogg", name)
    old, new = sound_of(tmp_path / "a.ogg"), sound_of(destination)
    assert new.shape == old.shape
    assert [lag_of(new[[k]], old[[k]]) for k in range(channels)] == [0] * channels
    assert result.sounds[0].codec_written == "vorbis"
    with av.open(destination) as container:
        titles = container.metadata | container.streams.audio[0].metadata
        assert {name.lower(): text for name, text in titles.items()}["artist"] == "Nobody"
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 44_100, 96_000, 192_000])
def test_every_rate_is_kept_without_loss(tmp_path: Path, rate_hz: int) -> None:
    write_tagged(tmp_path / "a.flac", "flac", rate_hz=rate_hz, samples=3000, channels=6)
    destination, result = rewritten(tmp_path / "a.flac")
    np.testing.assert_array_equal(sound_of(destination), sound_of(tmp_path / "a.flac"))
    assert (result.sounds[0].sample_rate, result.sounds[0].channels) == (rate_hz, 6)


def test_a_rate_that_a_codec_does_not_know_becomes_one_it_knows(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", smooth_noise(192_000), 192_000)
    destination, result = rewritten(tmp_path / "a.wav", "a.mp3")
    clip = read_clip(destination)
    assert (clip.sample_rate, clip.waveform.shape) == (48_000, (1, 48_000))
    assert result.sounds[0].codec_written == "mp3"


def test_filters_see_each_stream_and_change_it(tmp_path: Path) -> None:
    waveform = write_noise_wav(tmp_path / "a.wav", 3.0, channels=2)
    forms = []

    def louder(form: SoundForm) -> Gain:
        forms.append(form)
        return Gain(form, gain=3.0, held=7)

    rewrite_sound(tmp_path / "a.wav", tmp_path / "b.wav", louder)
    assert forms == [SoundForm(0, 16_000, 2)]
    np.testing.assert_array_equal(sound_of(tmp_path / "b.wav"), np.clip(3 * waveform, -1, 32767 / 32768))


def test_a_filter_that_loses_samples_is_found_out(tmp_path: Path) -> None:
    write_noise_wav(tmp_path / "a.wav", 1.0)
    for name in ("b.wav", "b.flac", "b.ogg"):
        with pytest.raises(RuntimeError, match="15999 samples of 16000"):
            rewrite_sound(tmp_path / "a.wav", tmp_path / name, lambda form: Forgetful(form, held=5))


@pytest.mark.parametrize(("name", "samples"), [("a.wav", 0), ("a.wav", 1), ("a.flac", 1)])
def test_next_to_nothing(tmp_path: Path, name: str, samples: int) -> None:
    soundfile.write(tmp_path / name, np.full((samples, 1), 0.5), 8000)
    destination, result = rewritten(tmp_path / name)
    assert result.sounds[0].samples == samples
    assert soundfile.info(destination).frames == samples


def test_what_a_wav_holds_besides_sound_stays(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    soundfile.write(source, smooth_noise(3001, 6).T, 8000, "PCM_24", format="WAVEX")
    content = bytearray(source.read_bytes())
    mask = content.index(b"fmt ") + 8 + 20
    content[mask : mask + 4] = (0x60F).to_bytes(4, "little")  # surround speakers at the sides
    extras = b"iXML" + (5).to_bytes(4, "little") + b"hello\0" + b"LIST" + (4).to_bytes(4, "little") + b"INFO"
    content += b"\0" * (len(content) % 2) + extras
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    source.write_bytes(content)
    destination, _ = rewritten(source)
    written = destination.read_bytes()
    assert written.endswith(extras)
    assert int.from_bytes(written[4:8], "little") == len(written) - 8
    with av.open(destination) as container:
        assert container.streams.audio[0].layout.name == "5.1(side)"
    np.testing.assert_array_equal(sound_of(destination), sound_of(source))


def test_a_wav_too_long_for_its_format_becomes_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "LONGEST_WAV_BYTES", 10_000)
    write_noise_wav(tmp_path / "a.wav", 1.0)
    destination, _ = rewritten(tmp_path / "a.wav")
    assert soundfile.info(destination).format == "RF64"
    np.testing.assert_array_equal(sound_of(destination), sound_of(tmp_path / "a.wav"))


def test_damage_is_told_and_silent(tmp_path: Path) -> None:
    write_noise_wav(tmp_path / "a.flac", 10.0)
    damage(tmp_path / "a.flac", 0.5, 0.51)
    destination, result = rewritten(tmp_path / "a.flac")
    clip = read_clip(tmp_path / "a.flac")
    assert result.coverage == clip.coverage
    assert result.coverage.gaps
    np.testing.assert_array_equal(sound_of(destination), clip.waveform)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.mka"])
def test_a_cut_is_told(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / name, noise(8.0), 16_000)
    truncate(tmp_path / name, 0.5)
    destination, result = rewritten(tmp_path / name)
    assert result.coverage.truncated
    assert result.coverage == read_clip(tmp_path / name).coverage
    assert sound_of(destination).shape[1] == result.sounds[0].samples


def test_what_is_no_number_becomes_silence(tmp_path: Path) -> None:
    waveform = noise(1.0)
    waveform[0, 100:110] = np.nan
    soundfile.write(tmp_path / "a.wav", waveform.T, 16_000, "FLOAT")
    destination, result = rewritten(tmp_path / "a.wav")
    assert result.coverage.lost_sec == pytest.approx(10 / 16_000)
    np.testing.assert_array_equal(sound_of(destination), np.nan_to_num(waveform))


def test_numbers_too_large_to_square_become_silence_and_loud_sound_stays(tmp_path: Path) -> None:
    waveform = 32_768 * noise(1.0)
    waveform[0, 100:110] = 1e30
    soundfile.write(tmp_path / "a.wav", waveform.T, 16_000, "FLOAT")
    destination, result = rewritten(tmp_path / "a.wav")
    assert result.coverage.lost_sec == pytest.approx(10 / 16_000)
    np.testing.assert_array_equal(sound_of(destination), np.where(waveform > 1e29, 0, waveform))


def test_a_cut_rf64_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(8.0).T, 16_000, "PCM_24", format="RF64")
    truncate(tmp_path / "a.wav", 0.5)
    assert rewritten(tmp_path / "a.wav")[1].coverage.truncated


def test_amr_stays_in_place(tmp_path: Path) -> None:
    time_sec = np.arange(16_000) / 8000
    pitch = 2 * np.pi * (120 * time_sec + 20 * time_sec**2)  # gliding: it is a coder of voices
    voice = sum(np.sin(harmonic * pitch) / harmonic for harmonic in range(1, 12))
    write_audio(tmp_path / "a.amr", 0.1 * np.atleast_2d(voice), 8000, codec="libopencore_amrnb", bit_rate=12_200)
    destination, _ = rewritten(tmp_path / "a.amr")
    assert abs(lag_of(sound_of(destination), sound_of(tmp_path / "a.amr"))) <= 1


def test_wavpack_keeps_its_bits(tmp_path: Path) -> None:
    write_tagged(tmp_path / "a.wv", "wavpack", sample_format="s16p")
    destination, result = rewritten(tmp_path / "a.wv")
    assert result.sounds[0].bit_depth == 16
    np.testing.assert_array_equal(sound_of(destination), sound_of(tmp_path / "a.wv"))


def test_what_needs_a_key_is_refused(tmp_path: Path) -> None:
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "11" * 16}
    write_tagged(tmp_path / "plain.m4a", "aac")
    with av.open(tmp_path / "plain.m4a") as plain, av.open(tmp_path / "a.mp4", "w", options=key) as locked:
        stream = locked.add_stream_from_template(plain.streams.audio[0])
        for packet in plain.demux(plain.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                locked.mux(packet)
    with pytest.raises(UnreadableMedia, match="is encrypted"):
        rewritten(tmp_path / "a.mp4")


def test_another_codec_only_where_the_own_cannot_be_written(tmp_path: Path) -> None:
    write_tagged(tmp_path / "a.mka", "flac")
    with pytest.raises(UnwritableMedia, match=r"its sound \(flac, 48000 Hz, stereo\).*audio_codec=opus\|vorbis"):
        rewritten(tmp_path / "a.mka", "a.webm")
    with pytest.raises(ArgumentError, match=r"^audio_codec: aac cannot be written into webm"):
        rewritten(tmp_path / "a.mka", "a.webm", "aac")
    with pytest.raises(ArgumentError, match=r"^audio_codec: 'nonsense' is no codec"):
        rewritten(tmp_path / "a.mka", "a.mka", "nonsense")
    assert rewritten(tmp_path / "a.mka", "a.webm", "opus")[1].sounds[0].codec_written == "opus"
    assert rewritten(tmp_path / "a.mka", "b.mka", "opus")[1].sounds[0].codec_written == "flac"


def test_errors_are_one_line(tmp_path: Path) -> None:
    write_video(tmp_path / "silent.mkv", coloured_frames(3))
    write_noise_wav(tmp_path / "a.wav", 0.1)
    (tmp_path / "empty.wav").touch()
    text = write_text_named_wav(tmp_path / "text.wav")
    cases: list[tuple[Path, str, type[MediaError]]] = [
        (tmp_path / "silent.mkv", "b.mkv", NoSuchStream),
        (tmp_path / "missing.wav", "b.wav", UnreadableMedia),
        (tmp_path / "empty.wav", "b.wav", UnreadableMedia),
        (text, "b.wav", UnreadableMedia),
        (tmp_path / "a.wav", "b.xyz", UnwritableMedia),
        (tmp_path / "a.wav", "no/b.wav", UnwritableMedia),
        (tmp_path / "a.wav", "no/b.flac", UnwritableMedia),
        (tmp_path / "a.wav", "no/b.ogg", UnwritableMedia),
    ]
    for source, name, kind in cases:
        with pytest.raises(kind) as caught:
            rewrite_sound(source, tmp_path / name, held_back)
        assert "\n" not in str(caught.value)


def test_sound_of_which_nothing_decodes(tmp_path: Path) -> None:
    write_tagged(tmp_path / "a.mka", "flac")
    damage(tmp_path / "a.mka", 0.02, 1.0)
    with pytest.raises(DamagedMedia):
        rewritten(tmp_path / "a.mka")


@contextmanager
def file_limit(size_bytes: int) -> Iterator[None]:
    """No file can grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("limit_bytes", [0, 500, 20_000])
@pytest.mark.parametrize("name", ["b.wav", "b.flac", "b.mp3", "b.ogg", "b.opus", "b.mka"])
def test_no_room_is_one_line(tmp_path: Path, name: str, limit_bytes: int) -> None:
    write_audio(tmp_path / "a.wav", noise(20.0), 16_000)
    with file_limit(limit_bytes), pytest.raises(AvpipeError) as caught:
        rewrite_sound(tmp_path / "a.wav", tmp_path / name, held_back)
    assert isinstance(caught.value, UnwritableMedia)
    assert "make room" in str(caught.value)


def test_an_encoder_with_loss_is_given_no_sound_without_bound(tmp_path: Path) -> None:
    write_audio(tmp_path / "loud.mka", noise(1.0), 16_000, codec="aac")
    rewrite_sound(tmp_path / "loud.mka", tmp_path / "out.mka", lambda form: Gain(form, 1e7))
    clip = read_clip(tmp_path / "out.mka")
    assert clip.waveform is not None
    assert 1.0 < np.abs(clip.waveform).max() < 100.0
