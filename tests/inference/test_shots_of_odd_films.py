"""Films as they come: every one has an answer with its coverage, or one clear line."""

import av
import numpy as np
import pytest

import avpipe
from avpipe.media import write_video
from tests.tiny import save_scenes_bundle


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    return avpipe.load(save_scenes_bundle(tmp_path_factory.mktemp("bundle") / "scenes"))


def pictures(length, shape=(48, 64), seed=0):
    draw = np.random.default_rng(seed)
    base = draw.integers(0, 200, (2, *shape, 3), dtype=np.uint8)
    return [base[place * 2 // length] + draw.integers(0, 40, dtype=np.uint8) for place in range(length)]


def shots(prediction):
    assert prediction.status in ("ok", "partial"), prediction.reason
    return prediction.tasks["scenes"].shots


@pytest.mark.parametrize(
    ("name", "length", "options"),
    [
        ("ten_bits.mkv", 30, {"codec": "ffv1", "pixel_format": "yuv420p10le"}),
        ("full_colour.mp4", 30, {"pixel_format": "yuv444p"}),
        ("transparent.mov", 30, {"codec": "png", "pixel_format": "rgba"}),
        ("interlaced.mp4", 30, {"options": {"flags": "+ildct+ilme", "x264-params": "tff=1"}}),
        ("fast.mkv", 400, {"fps": 1000}),
        ("slow.mkv", 6, {"fps": 1}),
        ("short.mp4", 3, {"fps": 30}),
    ],
)  # fmt: skip
def test_films_of_every_form_are_answered_whole(ask, tmp_path, name, length, options):
    write_video(tmp_path / name, pictures(length), **options)
    assert sum(shot.num_frames for shot in shots(ask(tmp_path / name))) == length


@pytest.mark.slow
def test_a_film_of_8k_is_scaled_in_the_decoder(ask, tmp_path):
    write_video(tmp_path / "large.mp4", pictures(4, (4320, 7680)), options={"preset": "ultrafast"})
    assert sum(shot.num_frames for shot in shots(ask(tmp_path / "large.mp4"))) == 4


def test_frames_may_change_their_size(ask, tmp_path):
    path = tmp_path / "changing.ts"
    parts = []
    for shape in ((48, 64), (96, 128)):
        write_video(tmp_path / f"{shape[0]}.ts", pictures(20, shape), codec="mpeg2video")
        parts.append((tmp_path / f"{shape[0]}.ts").read_bytes())
    path.write_bytes(b"".join(parts))
    prediction = ask(path)
    assert "\n" not in prediction.reason
    assert sum(shot.num_frames for shot in shots(prediction)) >= 20


def test_a_damaged_film_tells_what_is_lost(ask, tmp_path):
    write_video(tmp_path / "whole.mkv", pictures(60))
    content = bytearray((tmp_path / "whole.mkv").read_bytes())
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    prediction = ask(tmp_path / "cut.mkv")
    assert prediction.status == "partial"
    assert prediction.reason
    assert 0 < sum(shot.num_frames for shot in shots(prediction)) < 60


def test_the_last_shot_of_a_film_that_breaks_off_ends_with_its_last_frame(ask, tmp_path):
    times = np.cumsum(np.random.default_rng(0).choice([0.02, 0.04, 0.1], 120)).tolist()
    write_video(tmp_path / "whole.mkv", pictures(120), times_sec=times)
    content = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    prediction = ask(tmp_path / "cut.mkv")
    found = shots(prediction)
    (gap,) = prediction.coverage.gaps
    last_sec = times[sum(shot.num_frames for shot in found) - 1] - times[0] + found[0].start_sec
    assert found[-1].end_sec == pytest.approx(gap[0], abs=1e-3)
    assert 0.0 < found[-1].end_sec - last_sec < 0.11


@pytest.mark.parametrize("content", [b"", b"no film at all" * 40])
def test_what_is_no_film_is_an_error_of_one_line(ask, tmp_path, content):
    (tmp_path / "no.mp4").write_bytes(content)
    prediction = ask(tmp_path / "no.mp4")
    assert prediction.status == "error"
    assert prediction.reason
    assert "\n" not in prediction.reason


def test_a_delayed_picture_has_its_own_times(ask, tmp_path):
    """Sound from 0 s, picture from 1 s on."""
    path = tmp_path / "delayed.mkv"
    times = [1.0 + place / 25 for place in range(30)]
    sound = np.zeros((1, 48_000 * 2), np.float32)
    write_video(path, pictures(30), times_sec=times, waveform=sound, sample_rate=48_000)
    with av.open(path) as container:
        first = min(packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None)
    assert shots(ask(path))[0].start_sec == pytest.approx(float(first), abs=1e-3)
