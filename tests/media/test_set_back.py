"""Films put end to end in one file: the second follows the first."""

import numpy as np
import pytest

from avpipe.media import WindowPlan, containers, read_clip, stream_clips, write_video
from avpipe.media.clip import ClipFormat
from avpipe.media.set_back import continued
from tests.synthetic import tone

WHOLE = ClipFormat(audio=True, video=True)


def grey(levels):
    return [np.full((48, 64, 3), level, np.uint8) for level in levels]


@pytest.fixture(scope="module", params=["ts", "mpg"])
def joined(request, tmp_path_factory):
    """Two films of 2 s, a dark one and a bright one, each with sound from 0 s."""
    folder = tmp_path_factory.mktemp("joined")
    parts = []
    for name, levels in (("dark", range(20, 70)), ("bright", range(180, 230))):
        path = folder / f"{name}.{request.param}"
        codec = "libx264" if request.param == "ts" else "mpeg2video"
        write_video(path, grey(levels), waveform=tone(2.0, rate_hz=48_000), sample_rate=48_000, codec=codec)
        parts.append(path.read_bytes())
    path = folder / f"joined.{request.param}"
    path.write_bytes(b"".join(parts))
    return path


def test_the_second_film_follows_the_first(joined):
    with stream_clips(joined, [WindowPlan(60.0, 60.0, WHOLE)]) as clips:
        ((_, clip),) = clips
        coverage = clips.coverage
    assert len(clip.frames) == 100
    assert clip.frame_times_sec == pytest.approx(np.arange(100) / 25 + clip.frame_times_sec[0], abs=0.1)
    assert (np.diff(clip.frame_times_sec) > 0).all()
    assert coverage.asked_sec == pytest.approx(4.0, abs=0.3)
    assert coverage.decoded_sec == pytest.approx(coverage.asked_sec, abs=0.05)
    assert coverage.frames_lost == 0
    assert clip.waveform.shape[1] / clip.sample_rate == pytest.approx(4.0, abs=0.3)


def test_a_packet_far_ahead_of_its_neighbours_has_a_broken_clock(tmp_path):
    write_video(tmp_path / "x.ts", grey(range(20, 70)), codec="libx264", options={"bf": "0"})
    with containers.open_container(tmp_path / "x.ts") as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.dts is not None]
        stamps = [packet.pts for packet in packets]
        packets[20].dts += 3600 * 90_000
        packets[20].pts += 3600 * 90_000
        found = [packet.pts for packet in continued(packets, container, stream.time_base, 0.04)]
    assert found == [*stamps[:20], None, *stamps[21:]]


@pytest.mark.parametrize("start_sec", [0.8, 1.6, 2.4, 3.4])
def test_a_stretch_is_the_same_wherever_reading_begins(joined, start_sec):
    whole = read_clip(joined, video=True)
    part = read_clip(joined, start_sec, 0.4, video=True)
    times = whole.frame_times_sec
    within = (times >= start_sec - 1e-3) & (times < start_sec + 0.4 - 1e-3)
    np.testing.assert_array_equal(part.frames, whole.frames[within])
    assert (part.frames.mean() > 120) == (start_sec > 2.0)
