"""Where somebody speaks in a recording: by its levels, by silero-vad, window by window."""

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from avpipe.bundle import load_bundle
from avpipe.errors import ArgumentError
from avpipe.inference import Job, Predictor
from avpipe.inference.speech import LEVEL_SEC, LevelTrack, runs, speech
from avpipe.inference.vad import TRACKS, SileroTrack
from avpipe.media import Clip, Coverage, Resampler, read_clip, write_audio
from avpipe.media.samples import resampled
from tests.synthetic import noise
from tests.tiny import save_speaker_bundle, save_tiny_bundle, save_transcriber_bundle, voice

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


@pytest.fixture(params=["energy", "silero"])
def vad(request):
    """Each of the rules that is installed."""
    if request.param == "silero":
        pytest.importorskip("silero_vad")
    return request.param


@pytest.fixture
def silero():
    pytest.importorskip("silero_vad")


def spoken(rate_hz=16000):
    """(1, samples): somebody says a digit from 1.0 s on, and another one from 3.0 s on, before a soft hiss of 6 s."""
    sound = 0.0003 * np.random.default_rng(0).standard_normal((1, 6 * rate_hz)).astype(np.float32)
    for start_sec, name in ((1, "zero.wav"), (3, "two.flac")):
        said = read_clip(SAMPLES / name, sample_rate=rate_hz, mono=True).waveform
        assert said is not None
        sound[:, start_sec * rate_hz : start_sec * rate_hz + said.shape[1]] += said
    return sound


def windows(sound, rate_hz, window_sec, hop_sec, start_sec=0.0):
    """Clips as a file's windows are."""
    for place in range(max(1, ceil((sound.shape[1] / rate_hz - window_sec) / hop_sec - 1e-9) + 1)):
        first = round(place * hop_sec * rate_hz)
        part = sound[:, first : first + round(window_sec * rate_hz)]
        yield Clip(SAMPLES, start_sec + place * hop_sec, part, rate_hz, None, None, Coverage())


def heard(vad, clips):
    track = TRACKS[vad]()
    for clip in clips:
        track.add(clip)
    return track.stretches()


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_speech_is_found_at_any_rate(vad, rate_hz):
    found = heard(vad, windows(spoken(rate_hz), rate_hz, 6.0, 6.0))
    assert [start for start, _ in found] == pytest.approx([1.1, 3.1], abs=0.12)
    assert [end for _, end in found] == pytest.approx([1.55, 3.45], abs=0.15)


@pytest.mark.parametrize(("window_sec", "hop_sec"), [(2.0, 1.0), (1.0, 1.0), (1.5, 0.25), (3.0, 2.9)])
def test_windows_are_one_recording(vad, window_sec, hop_sec):
    sound = np.concatenate([spoken(), spoken()[:, 3000:]], axis=1)
    whole = heard(vad, windows(sound, 16000, 60.0, 60.0))
    assert len(whole) == 4
    assert heard(vad, windows(sound, 16000, window_sec, hop_sec)) == pytest.approx(np.array(whole), abs=1e-6)
    later = heard(vad, windows(sound, 16000, window_sec, hop_sec, start_sec=7.5))
    assert later == pytest.approx(np.array(whole) + 7.5, abs=1e-6)


def test_windows_at_a_rate_that_silero_does_not_hear_are_one_recording(silero):
    whole = heard("silero", windows(spoken(22050), 22050, 60.0, 60.0))
    assert heard("silero", windows(spoken(22050), 22050, 1.5, 0.7)) == pytest.approx(np.array(whole), abs=1e-6)


def test_pieces_at_another_rate_are_those_of_the_whole():
    sound, change = noise(1.0, rate_hz=44100), Resampler(44100, 16000)
    pieces = [change(piece) for piece in np.split(sound[0], [7, 4000, 30_000])]
    together = np.concatenate([*pieces, change(np.zeros(0, np.float32), last=True)])
    np.testing.assert_allclose(together, resampled(sound, 44100, 16000)[0], atol=1e-5)


def test_channels_are_heard_together(vad):
    sound = spoken()
    both = np.concatenate([sound, sound])
    assert heard(vad, windows(both, 16000, 2.0, 1.0)) == heard(vad, windows(sound, 16000, 2.0, 1.0))


def test_nothing_to_hear_is_no_speech(vad):
    assert heard(vad, []) == ()
    assert heard(vad, [Clip(SAMPLES, 0.0, None, None, None, None, Coverage())]) == ()
    assert heard(vad, windows(np.zeros((1, 20_000), np.float32), 16000, 1.0, 0.5)) == ()


def test_speech_ends_with_the_recording(vad):
    sound = spoken()[:, : round(3.3 * 16000)]
    found = heard(vad, windows(sound, 16000, 1.0, 0.5))
    assert len(found) == 2
    assert 3.25 <= found[-1][1] <= 3.3 + 1e-6


def test_a_loud_noise_is_speech_by_energy_alone(silero):
    sound = spoken()
    sound[:, 70_000:86_000] += 0.3 * noise(1.0)
    assert len(heard("energy", windows(sound, 16000, 2.0, 1.0))) == 3
    assert [start for start, _ in heard("silero", windows(sound, 16000, 2.0, 1.0))] == pytest.approx(
        [1.1, 3.1], abs=0.1
    )


def test_one_recording_is_heard_as_if_it_were_the_first(silero):
    first = heard("silero", windows(spoken(), 16000, 2.0, 1.0))
    mixed = [SileroTrack(), SileroTrack()]
    others = windows(noise(6.0), 16000, 2.0, 1.0)
    for clip, other in zip(windows(spoken(), 16000, 2.0, 1.0), others, strict=True):
        mixed[0].add(clip)
        mixed[1].add(other)
    assert mixed[0].stretches() == first
    assert heard("silero", windows(spoken(), 16000, 2.0, 1.0)) == first


@pytest.fixture(scope="module")
def transcriber(tmp_path_factory):
    return load_bundle(save_transcriber_bundle(tmp_path_factory.mktemp("bundle") / "speech"))


class Collected(dict[str, Any]):
    def add(self, prediction):
        self[prediction.path] = prediction.to_record()


def test_stretches_of_a_transcript_do_not_depend_on_neighbours_workers_or_batches(vad, transcriber, tmp_path):
    write_audio(tmp_path / "long.wav", np.concatenate([spoken(), spoken()], axis=1), 16000)
    write_audio(tmp_path / "short.wav", spoken()[:, :28_000], 16000)
    tones = load_bundle(save_tiny_bundle(tmp_path / "tones"))
    jobs = [Job("long", tmp_path / "long.wav"), Job("part", tmp_path / "long.wav", 2.5, 8.2)]
    jobs.append(Job("short", tmp_path / "short.wav"))
    found = []
    for bundles, order, workers, batch_size in (
        ([transcriber], jobs, 0, 16),
        ([transcriber], jobs[::-1], 2, 16),
        ([tones, transcriber], jobs, 0, 3),
    ):
        found.append(Collected())
        Predictor(bundles, batch_size, workers, speech=True, vad=vad).run(order, found[-1])
    assert found[0] == found[1]
    said = [{name: record["tasks"]["speech"]["speech"] for name, record in each.items()} for each in found]
    assert said[0] == said[2]
    assert all("speech" not in record["tasks"]["tones"] for record in found[2].values())
    starts = {name: [start for start, _ in stretches] for name, stretches in said[0].items()}
    assert starts["long"] == pytest.approx([1.1, 3.1, 7.1, 9.1], abs=0.12)
    assert starts["part"] == pytest.approx([3.1, 7.1], abs=0.12)  # times are those of the file
    assert starts["short"] == pytest.approx([1.1], abs=0.12)


def test_stretches_are_told_where_they_are_asked_for(transcriber, tmp_path):
    write_audio(tmp_path / "x.wav", spoken(), 16000)
    record = Predictor([transcriber])(tmp_path / "x.wav").to_record()["tasks"]["speech"]
    told = Predictor([transcriber], speech=True)(tmp_path / "x.wav").to_record()["tasks"]["speech"]
    assert len(told.pop("speech")) == 2
    assert told == record


def test_turns_are_of_what_the_rule_calls_speech(silero, tmp_path):
    bundle = load_bundle(save_speaker_bundle(tmp_path / "speaker"))
    write_audio(tmp_path / "x.wav", np.concatenate([voice("ann", 3.0), spoken()], axis=1), 16000)
    by_energy, by_silero = (
        Predictor([bundle], turns=True, vad=vad)(tmp_path / "x.wav").tasks["speaker"] for vad in ("energy", "silero")
    )
    assert by_energy.turns[0].start_sec == 0.0
    assert [turn.start_sec for turn in by_silero.turns] == pytest.approx([4.1, 6.1], abs=0.12)  # a tone is no voice
    assert by_energy.embedding == by_silero.embedding
    assert by_silero.speech == ()


def test_silero_leaves_torch_its_threads(silero, transcriber, tmp_path):
    write_audio(tmp_path / "x.wav", spoken(), 16000)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        Predictor([transcriber], speech=True, vad="silero")(tmp_path / "x.wav")
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["", "loud", None, ["silero"]])
def test_a_rule_that_is_none_is_refused(name, transcriber):
    with pytest.raises(ArgumentError, match="no such rule; choose from: energy, silero"):
        Predictor([transcriber], vad=name)


def test_a_track_holds_levels_and_no_sound():
    track = LevelTrack()
    for clip in windows(noise(10.0), 16000, 2.0, 1.0):
        track.add(clip)
    assert sum(levels.nbytes for _, levels in track._windows) <= 10 * 2 * 20 * 4


def test_a_soft_voice_beside_loud_ones_is_heard_in_a_recording_of_an_hour():
    """Voices in turn at 0, -12, -20 and -30 dB above a room 15 dB below the softest, and breaks of that room alone."""
    draw = np.random.default_rng(0)
    room_db = -65.0
    levels_db: list[float] = []
    whose: list[int] = []
    while len(levels_db) * LEVEL_SEC < 3600:
        number = int(draw.integers(-1, 4))
        sentences = [0.0] if number < 0 else draw.uniform(0.4, 3.0, draw.integers(1, 6))
        for seconds in sentences:
            spoken, silent = (
                round(seconds / LEVEL_SEC),
                round(draw.uniform(0.1, 20.0 if number < 0 else 0.6) / LEVEL_SEC),
            )
            power = 10 ** ((-20.0 + (0, -12, -20, -30)[number] + draw.normal(0.0, 4.0, spoken)) / 10)
            levels_db += [*(10 * np.log10(power + 10 ** (room_db / 10))), *(room_db + draw.normal(0.0, 1.0, silent))]
            whose += [number] * spoken + [-1 if number < 0 else 9] * silent
    found, numbers = speech(np.array(levels_db, np.float32)), np.array(whose)
    assert [found[numbers == number].mean() > 0.98 for number in range(4)] == [True] * 4
    assert found[numbers == -1].mean() < 0.02


def test_a_noise_that_comes_and_stays_is_not_speech_for_long():
    draw = np.random.default_rng(0)
    voices = np.where(np.arange(20 * 1200) % 60 < 40, -25.0, -60.0) + draw.normal(0.0, 1.0, 20 * 1200)
    noisy = np.maximum(
        voices, np.where(np.arange(len(voices)) < 10 * 1200, -60.0, -40.0) + draw.normal(0, 1, len(voices))
    )
    found = speech(noisy.astype(np.float32))
    pauses = np.arange(len(voices)) % 60 >= 40
    assert found[~pauses].all()
    assert not found[: 10 * 1200][pauses[: 10 * 1200]].any()
    assert not found[11 * 1200 :][pauses[11 * 1200 :]].any()


def test_soft_words_between_loud_ones_with_nothing_in_the_pauses_are_heard():
    """There is no room to measure; what a word fades away in is none."""
    words_db = [
        [-21, -18, -22, -30, -38],
        [-33, -23, -30, -39, -41],
        [-40, -28, -24, -39, -41],
        [-41, -40, -21, -19, -36],
    ]
    levels = [level for word in words_db * 3 for level in [*[-80] * 7, *word]]
    found = [(round(start), round(end)) for start, end in runs(speech(np.array(levels, np.float32)))]
    assert found == [(12 * place + 7, 12 * place + 12) for place in range(12)]
