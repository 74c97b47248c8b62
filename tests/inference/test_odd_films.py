"""Films that are hardly films: each gets an answer with its coverage, or one clear line, and none stops the others."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest

from avpipe.media import write_audio, write_video
from tests.cli.test_commands import avpipe
from tests.synthetic import noise
from tests.tiny import VIDEO, save_tiny_bundle

MOTION = {**VIDEO, "encoders": {"video": {"_target_": "avpipe.networks.MotionEncoder"}}}


def pictures(count, height=48, width=64, channels=3):
    """A bright box that moves over a grey ground."""
    for index in range(count):
        picture = np.full((height, width, channels), 90, np.uint8)
        left = index * 3 % (width * 3 // 4)
        picture[height // 4 : height // 2, left : left + width // 4] = 220
        yield picture


def write_transparent(path):
    with av.open(path, "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        for picture in pictures(20, channels=4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="argb")))
        container.mux(stream.encode())


def write_growing(path):
    """Pictures that change their size in the middle: two films of MPEG-TS, one behind the other."""
    parts = []
    for place, (height, width) in enumerate(((48, 64), (96, 160))):
        part = path.with_name(f".{place}.ts")
        start = [place * 0.8 + index / 25 for index in range(20)]
        write_video(part, pictures(20, height, width), times_sec=start, codec="libx264")
        parts.append(part.read_bytes())
        part.unlink()
    path.write_bytes(b"".join(parts))


def write_interlaced(path):
    options = {"flags": "+ildct+ilme", "top": "1"}
    write_video(path, pictures(20), codec="mpeg2video", options=options)


FILMS = {
    "one_frame.mp4": lambda path: write_video(path, pictures(1)),
    "a_tenth.mp4": lambda path: write_video(path, pictures(3), fps=30),
    "1000_fps.mkv": lambda path: write_video(path, pictures(700), fps=Fraction(1000)),
    "ten_bits.mkv": lambda path: write_video(path, pictures(20), codec="libx265", pixel_format="yuv420p10le"),
    "yuv444.mkv": lambda path: write_video(path, pictures(20), pixel_format="yuv444p"),
    "transparent.mov": write_transparent,
    "growing.ts": write_growing,
    "interlaced.mpg": write_interlaced,
    "black.mp4": lambda path: write_video(path, [np.zeros((48, 64, 3), np.uint8)] * 20),
    "tall.mp4": lambda path: write_video(path, pictures(20, 400, 40)),
}


@pytest.fixture(scope="module")
def odd_films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd_films")
    for name, write in FILMS.items():
        write(folder / name)
    write_audio(folder / "only_sound.wav", noise(1.0), 16000)
    return folder


@pytest.fixture(scope="module")
def answered(odd_films, tmp_path_factory):
    """The rows of all films by name, and the exit status."""
    folder = tmp_path_factory.mktemp("answers")
    bundle = save_tiny_bundle(folder / "bundle", MOTION)
    run = avpipe("predict", f"bundle={bundle}", f"input={odd_films}", f"output={folder / 'out'}", "device=cpu")
    lines = (folder / "out" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["path"]: row for row in map(json.loads, lines)}, run


@pytest.mark.parametrize("name", FILMS)
def test_an_odd_film_is_answered(answered, name):
    row = answered[0][name]
    assert row["status"] == "ok", row["reason"]
    ((answer,),) = [list(row["tasks"].values())]
    assert sum(answer["scores"].values()) == pytest.approx(1.0, abs=1e-4)
    assert all(np.isfinite(score) for score in answer["scores"].values())
    assert row["coverage"]["frames_decoded"] > 0


def test_what_is_much_shorter_than_a_window_or_black_says_so(answered):
    rows = answered[0]
    assert rows["one_frame.mp4"]["reason"] == "tones: shorter than a window of 0.5 s: judged by 0.04 s"
    assert rows["a_tenth.mp4"]["reason"] == "tones: shorter than a window of 0.5 s: judged by 0.1 s"
    assert rows["black.mp4"]["reason"] == "tones: there is nothing to be seen in its pictures"
    others = set(FILMS) - {"one_frame.mp4", "a_tenth.mp4", "black.mp4"}
    assert not any(rows[name]["reason"] for name in others)


def test_sound_without_pictures_is_one_line(answered):
    row = answered[0]["only_sound.wav"]
    assert row["status"] == "abstained"
    assert "picture" in row["reason"]
    assert "\n" not in row["reason"]


def test_none_stops_the_others(answered):
    rows, run = answered
    assert set(rows) == {*FILMS, "only_sound.wav"}
    assert run[0] == 0
    assert "Traceback" not in run[2]


@pytest.mark.slow
def test_8k_is_answered(tmp_path):
    write_video(tmp_path / "in" / "8k.mp4", pictures(8, 4320, 7680), options={"preset": "ultrafast"})
    bundle = save_tiny_bundle(tmp_path / "bundle", MOTION)
    avpipe("predict", f"bundle={bundle}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", "device=cpu")
    row = json.loads((tmp_path / "out" / "predictions.jsonl").read_text(encoding="utf-8"))
    assert row["status"] == "ok", row["reason"]
    assert row["coverage"]["frames_decoded"] == 8
