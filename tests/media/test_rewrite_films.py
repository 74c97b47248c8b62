"""Rewriting films: the sounds are filtered, every other packet is the same as before, at the same time."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Discard

from avpipe.media import NoSuchStream, SoundForm, UnwritableMedia, probe, read_clip, rewrite_sound
from tests.media.test_rewrite import Gain, held_back, lag_of, packets_of, rewritten, smooth_noise, sound_of
from tests.synthetic import coloured_frames, damage, truncate

FRAMES = 30
FPS = 25
CHAPTERS: Any = [
    {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "Erstes"}},
    {"id": 2, "start": 500, "end": 1200, "time_base": Fraction(1, 1000), "metadata": {"title": "Zweites"}},
]


def write_film(
    path: Path,
    video_codec: str = "libx264",
    audio_codec: str = "aac",
    *,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    rate_hz: int = 48_000,
    layouts: tuple[str, ...] = ("stereo",),
    late_samples: int = 0,
    sample_format: str | None = None,
    captions: str | None = None,
    attachments: bool = False,
    rotation_deg: int = 0,
) -> Path:
    """A film of 1.2 s with B-frames where the codec has them, one sound a layout, titles and chapters."""
    with av.open(path, "w") as container:
        container.metadata.update({"title": "Ein Film", "comment": "mit Ton"})
        video: Any = container.add_stream(video_codec, rate=FPS, options=options or {}, width=64, height=48)
        video.pix_fmt = pixel_format
        if rotation_deg:
            video.set_display_rotation(rotation_deg)
        sounds = []
        for number, layout in enumerate(layouts):
            stream = container.add_stream(audio_codec, rate=rate_hz, layout=layout)
            assert isinstance(stream, AudioStream)
            if sample_format:
                stream.format = sample_format
            stream.metadata.update({"language": ("deu", "eng", "fra")[number], "title": f"Ton {number}"})
            waveform = smooth_noise(FRAMES * rate_hz // FPS, stream.channels, number)
            sounds.append((stream, waveform))
        caption_stream = container.add_mux_stream(captions, time_base=Fraction(1, 1000)) if captions else None
        if attachments:
            container.add_attachment("a.ttf", "application/x-truetype-font", b"FONT" * 50)
            container.add_attachment("cover.jpg", "image/jpeg", b"\xff\xd8\xff\xe0" + b"x" * 50)
        container.set_chapters(CHAPTERS)
        for index, image in enumerate(coloured_frames(FRAMES)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            for stream, waveform in sounds:
                mux_stretch(container, stream, waveform, index, late_samples)
            if caption_stream is not None and index in (5, 20):
                container.mux(caption(caption_stream, index * 40, captions == "mov_text"))
        for finished in (video, *(one for one, _ in sounds)):
            container.mux(finished.encode(None))
    return path


def mux_stretch(container: OutputContainer, stream: AudioStream, waveform: np.ndarray, index: int, late: int) -> None:
    """The sound of one frame."""
    length = stream.rate // FPS
    block = np.ascontiguousarray(waveform[:, index * length : (index + 1) * length])
    frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.layout.name)
    frame.sample_rate, frame.time_base = stream.rate, Fraction(1, stream.rate)
    frame.pts = index * length + late
    container.mux(stream.encode(frame))


def caption(stream: Any, at_ms: int, in_mp4: bool) -> Any:
    packet: Any = av.Packet((5).to_bytes(2, "big") + b"Hallo" if in_mp4 else b"Hallo")
    packet.stream, packet.is_keyframe, packet.time_base = stream, True, Fraction(1, 1000)
    packet.pts = packet.dts = at_ms
    packet.duration = 300
    return packet


def kept_of(path: Path) -> dict[int, list[tuple[bytes, Fraction | None, Fraction | None, bool]]]:
    """Content, times and key flag of all packets that are no sound, by stream."""
    packets: dict[int, list[tuple[bytes, Fraction | None, Fraction | None, bool]]] = {}
    with av.open(path) as container:
        others = {stream.index for stream in container.streams if stream.type != "audio" and not is_chapters(stream)}
        for packet in container.demux():
            if packet.size and packet.stream_index in others:
                unit = Fraction(packet.time_base)
                pts, dts = (None if time is None else time * unit for time in (packet.pts, packet.dts))
                packets.setdefault(packet.stream_index, []).append((bytes(packet), pts, dts, packet.is_keyframe))
    return packets


def is_chapters(stream: Any) -> bool:
    return stream.type == "data" and stream.discard == Discard.all


def description_of(path: Path) -> list[tuple[object, ...]]:
    """What a file says of itself and its streams, save what is the writer's own."""
    own = {"DURATION", "encoder", "ENCODER", "title", "name"}
    with av.open(path) as container:
        lines: list[tuple[object, ...]] = [
            (
                stream.type,
                str(stream.metadata.get("title", stream.metadata.get("name"))),
                {key: text for key, text in stream.metadata.items() if key not in own},
                stream.disposition,
                getattr(stream, "data", None) if stream.type == "attachment" else None,
                stream.layout.name if isinstance(stream, AudioStream) else None,
                stream.codec_context.codec_tag if stream.type == "video" else None,
            )
            for stream in container.streams
        ]
        titles = {key: text for key, text in container.metadata.items() if key in ("title", "comment", "COMMENT")}
        chapters = [(float(one["start"] * one["time_base"]), one["metadata"]) for one in container.chapters()]
        return [(titles, chapters), *lines]


X265_QUIET = {"x265-params": "log-level=none"}

FILMS: list[tuple[str, dict[str, Any]]] = [
    ("a.mp4", {}),
    ("a.mp4", {"audio_codec": "alac"}),
    ("a.mp4", {"rotation_deg": 90}),
    ("a.mp4", {"layouts": ("stereo", "mono", "5.1")}),
    ("a.mp4", {"captions": "mov_text"}),
    ("a.mp4", {"audio_codec": "libmp3lame", "rate_hz": 44_100}),
    ("a.mp4", {"pixel_format": "yuv420p10le", "rate_hz": 44_100}),
    ("a.mp4", {"video_codec": "libx265", "pixel_format": "yuv420p10le", "options": X265_QUIET}),
    ("a.mov", {"audio_codec": "pcm_s24le", "late_samples": 4807}),
    ("a.mov", {"audio_codec": "pcm_s16le"}),
    ("a.mkv", {"captions": "subrip", "attachments": True, "layouts": ("stereo", "mono")}),
    ("a.mkv", {"audio_codec": "flac", "sample_format": "s32", "layouts": ("5.1",)}),
    ("a.mkv", {"audio_codec": "flac", "late_samples": 4800}),
    ("a.mkv", {"audio_codec": "libopus", "late_samples": 4800}),
    ("a.mkv", {"audio_codec": "ac3", "layouts": ("5.1(side)",)}),
    ("a.mkv", {"video_codec": "libx265", "options": X265_QUIET}),
    ("a.webm", {"video_codec": "libvpx-vp9", "audio_codec": "libopus", "options": {"cpu-used": "8"}}),
    ("a.avi", {"video_codec": "mpeg4", "audio_codec": "libmp3lame"}),
    ("a.avi", {"video_codec": "mpeg4", "audio_codec": "pcm_s16le"}),
    ("a.ts", {}),
    ("a.ts", {"audio_codec": "ac3", "late_samples": 4807}),
    ("a.flv", {"rate_hz": 44_100}),
]


@pytest.mark.parametrize(("name", "settings"), FILMS)
def test_all_but_the_sound_is_the_same(tmp_path: Path, name: str, settings: dict[str, Any]) -> None:
    source = write_film(tmp_path / name, **settings)
    assert_rewritten_well(source)


def test_mpeg_program_streams_keep_their_packets(tmp_path: Path) -> None:
    """Their few timestamps lie where packs begin; FFmpeg guesses those between, and not always alike."""
    source = write_film(tmp_path / "a.mpg", "mpeg2video", "mp2")
    destination, _ = rewritten(source)
    old, new = kept_of(source)[0], kept_of(destination)[0]
    assert [packet[0] for packet in new] == [packet[0] for packet in old]
    assert new[0] == old[0]
    assert lag_of(sound_of(destination), sound_of(source)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm"])
def test_av1(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVT_LOG", "0")  # it writes to stderr
    audio_codec = "aac" if name == "a.mp4" else "libopus"
    source = write_film(tmp_path / name, "libsvtav1", audio_codec, options={"preset": "12"})
    assert_rewritten_well(source)


def assert_rewritten_well(source: Path) -> None:
    destination, result = rewritten(source)
    assert kept_of(destination) == kept_of(source)
    assert description_of(destination) == description_of(source)
    old, new = sound_of(source), sound_of(destination)
    assert [lag_of(new[[k]], old[[k]]) for k in range(len(old)) if old[k].any()] == [0] * len(old)
    assert 0 <= new.shape[1] - old.shape[1] < 1536
    assert (result.left_out, result.untouched, result.coverage.losses()) == ((), (), [])
    with av.open(source) as container:
        assert [one.index for one in result.sounds] == [stream.index for stream in container.streams.audio]


def test_lossless_sound_in_films_is_equal(tmp_path: Path) -> None:
    for name, codec in (("a.mkv", "flac"), ("a.mov", "pcm_s16le")):
        source = write_film(tmp_path / name, audio_codec=codec, late_samples=4800)
        destination, _ = rewritten(source)
        np.testing.assert_array_equal(sound_of(destination), sound_of(source))


def test_each_sound_has_its_own_filter(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", audio_codec="flac", layouts=("mono", "stereo"))
    forms = []

    def quieter(form: SoundForm) -> Gain:
        forms.append(form)
        return Gain(form, gain=0.5 if form.index == 1 else 0.25, held=3000 * form.index)

    rewrite_sound(source, tmp_path / "b.mkv", quieter)
    assert forms == [SoundForm(1, 48_000, 1), SoundForm(2, 48_000, 2)]
    with av.open(source) as old, av.open(tmp_path / "b.mkv") as new:
        for index, gain in ((0, 0.5), (1, 0.25)):
            before, after = (loudest(container, index) for container in (old, new))
            assert after == pytest.approx(gain * before, rel=0.001)
            old.seek(0)
            new.seek(0)


def loudest(container: av.container.InputContainer, index: int) -> float:
    frames = container.decode(container.streams.audio[index])
    return max(float(np.abs(frame.to_ndarray().astype(np.float64)).max()) for frame in frames)


def test_a_sound_in_mp4_that_begins_late_keeps_its_lateness(tmp_path: Path) -> None:
    """MP4 cannot tell players to skip what AAC puts first, where a sound begins late: it is heard, before it."""
    source = write_film(tmp_path / "a.mp4", late_samples=24_000)
    destination, _ = rewritten(source)
    assert kept_of(destination) == kept_of(source)
    assert lag_of(sound_of(destination), sound_of(source)) == 0
    assert np.abs(sound_of(destination)[:, : 24_000 - 2048]).max() < 0.01


def test_vorbis_in_films(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", "libvpx-vp9", "flac", options={"cpu-used": "8"}, late_samples=4800)
    first, result = rewritten(source, "a.webm", "vorbis")
    assert result.sounds[0].codec_written == "vorbis"
    second, _ = rewritten(first, "b.webm")
    assert kept_of(second) == kept_of(first) == kept_of(source)
    assert lag_of(sound_of(second), sound_of(source)) == 0


def test_undecodable_sound_is_copied_and_told(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", audio_codec="flac", layouts=("stereo", "mono"))
    content = bytearray(source.read_bytes())
    with av.open(source) as container:
        for packet in container.demux(container.streams.audio[1]):
            if packet.size:
                place = content.index(bytes(packet))
                content[place + 8 : place + packet.size] = bytes(packet.size - 8)
    source.write_bytes(content)
    destination, result = rewritten(source)
    assert result.untouched == ("audio stream 2 (flac)",)
    assert [sound.index for sound in result.sounds] == [1]
    assert packets_of(destination, 2) == packets_of(source, 2)


def test_damaged_and_cut_films(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", audio_codec="flac")
    damage(source, 0.6, 0.65)
    destination, result = rewritten(source)
    assert result.coverage.lost_sec > 0
    assert abs(sound_of(destination).shape[1] - sound_of(source).shape[1]) <= 48
    truncate(source, 0.5)
    assert rewritten(source)[1].coverage.truncated


def test_what_a_format_cannot_hold_is_one_line(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", captions="subrip", attachments=True)
    with pytest.raises(UnwritableMedia, match=r"its subtitle stream 2 \(subrip\) cannot be put into mp4; keep"):
        rewritten(source, "a.mp4")
    with pytest.raises(UnwritableMedia, match=r"its video stream 0 \(h264\) cannot be put into wav"):
        rewritten(source, "a.wav")
    plain = write_film(tmp_path / "b.mkv", attachments=True)
    _, result = rewritten(plain, "b.mp4")
    assert [line.partition(" stream")[0] for line in result.left_out] == ["attachment", "video"]


def test_a_clock_without_origin_is_left_behind_with_its_format(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.ts", late_samples=4800)
    destination, _ = rewritten(source, "a.mp4")
    assert lag_of(sound_of(destination), sound_of(source)) == 0
    times = [read_clip(path, audio=False, video=True).frame_times_sec for path in (source, destination)]
    np.testing.assert_allclose(times[1], times[0], atol=1e-4)


def test_time_code_of_mov_stays(tmp_path: Path) -> None:
    source = tmp_path / "a.mov"
    with av.open(source, "w") as container:
        video: Any = container.add_stream("libx264", rate=FPS, width=64, height=48, pix_fmt="yuv420p")
        video.metadata["timecode"] = "01:02:03:04"
        sound: Any = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for index, image in enumerate(coloured_frames(FRAMES)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            mux_stretch(container, sound, smooth_noise(FRAMES * 1920), index, 0)
        container.mux([*video.encode(None), *sound.encode(None)])
    destination, result = rewritten(source)
    assert kept_of(destination) == kept_of(source)
    assert len(kept_of(source)) == 2
    assert result.left_out == ()


@pytest.mark.corpora
def test_odd_films(corpora: Path, tmp_path: Path) -> None:
    heard = 0
    for source in sorted((corpora / "odd_media").iterdir()):
        if not probe(source).audio:
            with pytest.raises(NoSuchStream, match="has no sound that can be decoded"):
                rewrite_sound(source, tmp_path / source.name, held_back)
            continue
        rewrite_sound(source, tmp_path / source.name, held_back)
        heard += 1
        assert kept_of(tmp_path / source.name) == kept_of(source)
        old, new = read_clip(source), read_clip(tmp_path / source.name)
        assert (old.sample_rate, len(old.waveform)) == (new.sample_rate, len(new.waveform))
        assert lag_of(new.waveform, old.waveform) == 0
        assert 0 <= new.waveform.shape[1] - old.waveform.shape[1] < 1024
    assert heard == 10
