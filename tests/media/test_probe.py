"""Telling what a file holds."""

import dataclasses
import json
from pathlib import Path

import av
import numpy as np
import pytest

from avpipe.media import NoSuchStream, UnreadableMedia, probe, read_clip, write_audio, write_video
from tests.synthetic import FPS, noise, quartered_frame, write_coloured_video, write_noise_wav, write_text_named_wav


def test_sound(tmp_path: Path) -> None:
    write_noise_wav(tmp_path / "a.wav", 1.5, channels=2, rate_hz=44_100)
    info = probe(tmp_path / "a.wav")
    (sound,) = info.audio
    assert (info.format, info.duration_sec, info.video, info.coverage) == ("wav", 1.5, (), None)
    assert (sound.codec, sound.sample_rate, sound.channels) == ("pcm_s16le", 44_100, 2)
    assert (sound.sample_format, sound.start_sec, sound.duration_sec) == ("s16", 0.0, 1.5)


def test_film(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mkv", 50, waveform=noise(2.0))
    info = probe(path, decode=True)
    (picture,) = info.video
    assert (picture.codec, picture.width, picture.height, picture.rotation_deg) == ("h264", 64, 48, 0)
    assert (picture.average_fps, picture.bit_depth) == (FPS, 8)
    assert info.audio[0].codec == "flac"
    assert info.coverage is not None
    assert (info.coverage.frames_decoded, info.coverage.lost_sec, info.coverage.decoded_sec) == (50, 0.0, 2.0)


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_size_is_that_of_the_upright_picture(tmp_path: Path, rotation_deg: int) -> None:
    write_video(tmp_path / "a.mp4", [quartered_frame()] * 2, rotation_deg=rotation_deg)
    (picture,) = probe(tmp_path / "a.mp4").video
    assert picture.rotation_deg == rotation_deg
    assert (picture.width, picture.height) == ((64, 48) if rotation_deg == 180 else (48, 64))


def test_ten_bits(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", [quartered_frame()], codec="ffv1", pixel_format="yuv420p10le")
    assert probe(tmp_path / "a.mkv").video[0].bit_depth == 10


def test_cover_art_is_no_picture(tmp_path: Path) -> None:
    write_audio(tmp_path / "plain.mp3", noise(1.0), 16_000)
    with av.open(tmp_path / "plain.mp3") as plain, av.open(tmp_path / "covered.mp3", "w") as covered:
        sound = covered.add_stream_from_template(plain.streams.audio[0])
        cover = covered.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        covered.mux(cover.encode(av.VideoFrame.from_ndarray(quartered_frame())))
        for packet in plain.demux(plain.streams.audio[0]):
            if packet.size:
                packet.stream = sound
                covered.mux(packet)
    info = probe(tmp_path / "covered.mp3")
    assert info.video == ()
    assert info.others == {"cover art": 1}
    with pytest.raises(NoSuchStream):
        read_clip(tmp_path / "covered.mp3", audio=False, video=True)
    covered_sound, plain_sound = read_clip(tmp_path / "covered.mp3"), read_clip(tmp_path / "plain.mp3")
    np.testing.assert_array_equal(covered_sound.waveform, plain_sound.waveform)


def test_json(tmp_path: Path) -> None:
    path = write_coloured_video(tmp_path / "a.mkv", 5, waveform=noise(0.2))
    record = json.loads(json.dumps(dataclasses.asdict(probe(path, decode=True))))
    assert record["video"][0]["width"] == 64
    assert record["coverage"]["truncated"] is False


def test_what_is_no_media(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia):
        probe(write_text_named_wav(tmp_path / "a.wav"))
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nwords\n", encoding="utf-8")
    with pytest.raises(NoSuchStream):
        probe(tmp_path / "a.srt")
