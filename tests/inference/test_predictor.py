"""A file's answer depends on the file, the bundle and the settings, and on nothing else."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from avpipe.bundle import load_bundle
from avpipe.config import instantiate
from avpipe.corpora import Example
from avpipe.errors import ArgumentError, RunStopped
from avpipe.features import collate
from avpipe.inference import Job, Predictor
from avpipe.inference.batches import Batches
from avpipe.inference.decoding import Request, Window, decode
from avpipe.media import stream_clips, write_audio, write_video
from avpipe.training.data import ValidationWindows
from avpipe.training.recordings import Reader, measure
from tests.synthetic import noise, tone, write_coloured_video, write_text_named_wav
from tests.tiny import AUDIO, VIDEO, save_tiny_bundle


class Collected:
    def __init__(self):
        self.predictions = []

    def add(self, prediction):
        self.predictions.append(prediction)

    @property
    def records(self):
        return {prediction.path: prediction.to_record() for prediction in self.predictions}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tones"))


@pytest.fixture(scope="module")
def video_bundle(tmp_path_factory):
    return load_bundle(save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "colours", VIDEO))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    for index in range(12):
        seconds = 0.3 + 0.37 * index
        waveform = noise(seconds, seed=index) + tone(seconds, 300.0 + 200 * index)
        write_audio(folder / f"{index:02}.wav", waveform, 16000)
    write_text_named_wav(folder / "text.wav")
    write_coloured_video(folder / "silent.mkv", 30)
    return [Job(path.name, path) for path in sorted(folder.iterdir())]


def answers(bundles, jobs, **settings):
    collected = Collected()
    Predictor(bundles, **settings).run(jobs, collected)
    return collected.records


def test_answers_are_bit_equal_in_any_order_among_any_neighbours_with_any_workers(bundle, jobs):
    expected = answers([bundle], jobs)
    assert len(expected) == 14
    assert len({record["tasks"]["tones"]["score"] for record in expected.values() if record["tasks"]}) == 12
    assert answers([bundle], jobs[::-1]) == expected
    assert answers([bundle], jobs, workers=1) == expected
    assert answers([bundle], jobs, workers=3) == expected
    for job in jobs:
        assert answers([bundle], [job]) == {job.name: expected[job.name]}


def test_answers_are_bit_equal_with_any_number_of_threads(bundle, video_bundle, jobs):
    expected = answers([bundle, video_bundle], jobs)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert answers([bundle, video_bundle], jobs, workers=2) == expected
    finally:
        torch.set_num_threads(threads)


def test_answers_that_wait_for_an_earlier_window_are_few(bundle, tmp_path, monkeypatch):
    # Silence is trimmed, so that the first window is of a length that no other has; its batch will not fill.
    preprocessor = instantiate({**AUDIO["preprocessor"], "audio": {**AUDIO["preprocessor"]["audio"], "trim_db": 30.0}})
    trimming = replace(bundle, preprocessor=preprocessor)
    waveform = noise(60.0)
    waveform[:, : 16000 * 3 // 4] = 0.0
    write_audio(tmp_path / "long.wav", waveform, 16000)
    job = Job("long.wav", tmp_path / "long.wav")
    expected = answers([trimming], [job])["long.wav"]
    windows = expected["tasks"]["tones"]["windows"]
    assert [window["start_sec"] for window in windows] == [0.5 * place for place in range(119)]
    held = []
    genuine = Batches._hold

    def watched(self, plan, entry, said, apart):
        genuine(self, plan, entry, said, apart)
        held.append(max((len(line.held) for line in self._lines.values()), default=0))

    monkeypatch.setattr(Batches, "_hold", watched)
    monkeypatch.setattr("avpipe.inference.batches._MOST_HELD", 20)
    assert answers([trimming], [job])["long.wav"] == expected
    assert 20 < max(held) < 50


def test_short_windows_are_not_computed_at_full_length(bundle, jobs, monkeypatch):
    widths = []
    genuine = type(bundle.network).forward

    def watched(self, features, lengths):
        widths.append(features["audio"].shape[3])
        return genuine(self, features, lengths)

    monkeypatch.setattr(type(bundle.network), "forward", watched)
    full = bundle.preprocessor.window_steps["audio"]
    answers([bundle], [job for job in jobs if job.name == "00.wav"])
    assert widths[0] == -(-3 * full // 8)  # 0.3 s of 1 s
    monkeypatch.setattr(type(bundle.network), "ignores_padding", False)
    answers([bundle], [job for job in jobs if job.name == "00.wav"])
    assert widths[1:] == [full]


def test_another_batch_size_changes_next_to_nothing(bundle, jobs):
    expected, other = answers([bundle], jobs, batch_size=16), answers([bundle], jobs, batch_size=3)
    for name, record in expected.items():
        for task, answer in record["tasks"].items():
            for label, score in answer["scores"].items():
                assert other[name]["tasks"][task]["scores"][label] == pytest.approx(score, abs=1e-5)


def test_several_bundles_answer_from_one_decode_as_they_do_alone(bundle, video_bundle, jobs, monkeypatch):
    opened = []
    genuine = stream_clips

    def counted(path, *arguments):
        opened.append(path)
        return genuine(path, *arguments)

    monkeypatch.setattr("avpipe.inference.decoding.stream_clips", counted)
    both = answers([bundle, video_bundle], jobs)
    assert len(opened) == len(jobs)
    for alone in (answers([bundle], jobs), answers([video_bundle], jobs)):
        for name, record in alone.items():
            for task, answer in record["tasks"].items():
                assert both[name]["tasks"][task] == answer


def test_a_files_score_is_the_mean_of_its_windows_by_true_seconds(bundle, jobs):
    record = answers([bundle], jobs)["11.wav"]["tasks"]["tones"]
    windows = record["windows"]
    assert [(w["start_sec"], w["end_sec"]) for w in windows[:2]] == [(0.0, 1.0), (0.5, 1.5)]
    assert windows[-1]["end_sec"] == pytest.approx(4.37)
    assert all(w["score"] <= 1.0 for w in windows)
    assert sum(record["scores"].values()) == pytest.approx(1.0, abs=1e-5)


def test_a_short_file_is_one_window(bundle, jobs):
    windows = answers([bundle], jobs)["00.wav"]["tasks"]["tones"]["windows"]
    assert [(w["start_sec"], w["end_sec"]) for w in windows] == [(0.0, 0.3)]


def test_statuses_say_what_happened(bundle, video_bundle, jobs):
    alone = answers([bundle], jobs)
    assert alone["00.wav"]["status"] == "ok"
    assert alone["text.wav"]["status"] == "error"
    assert alone["silent.mkv"]["status"] == "abstained"
    assert "no sound" in alone["silent.mkv"]["reason"]
    both = answers([bundle, video_bundle], jobs)
    assert both["silent.mkv"]["status"] == "ok"
    assert both["silent.mkv"]["reason"].startswith("tones: ")
    assert both["silent.mkv"]["tasks"].keys() == {"colours"}


def test_sound_of_a_lower_rate_than_was_learned_from_is_answered_and_told(bundle, video_bundle, tmp_path):
    for rate in (4000, 8000, 44100):
        write_audio(tmp_path / f"{rate}.wav", noise(1.0)[:, :rate], rate)
    told = answers([bundle, video_bundle], [Job(path.stem, path) for path in tmp_path.iterdir()])
    lines = {name: record["reason"].split("; ") for name, record in told.items()}
    assert "tones: recorded at 4000 Hz, and learned from 8000 Hz" in lines["4000"]
    assert not any("recorded at" in line for name in ("8000", "44100") for line in lines[name])
    assert {record["status"] for record in told.values()} == {"ok"}


def test_a_stretch_of_a_file_is_answered_alone(bundle, jobs):
    record = answers([bundle], [Job("part", jobs[11].path, 1.0, 2.0)])["part"]
    assert [(w["start_sec"], w["end_sec"]) for w in record["tasks"]["tones"]["windows"]] == [(1.0, 2.0)]


def test_dataset_and_predictor_make_equal_features(bundle, jobs):
    """No skew: the training side reads windows one by one, the other streams the file."""
    examples = [Example(job.path, "high") for job in jobs if job.name[0].isdigit()]
    recordings, unreadable = measure(examples)
    assert not unreadable
    items = list(ValidationWindows(recordings, Reader(bundle.preprocessor), bundle.objective))
    streamed = [
        message.arrays["audio"]
        for job in jobs
        if job.name[0].isdigit()
        for message in decode(job, [Request(bundle.preprocessor.windowing, bundle.preprocessor.made)])
        if isinstance(message, Window)
    ]
    assert len(items) == len(streamed)
    for item, features in zip(items, streamed, strict=True):
        np.testing.assert_array_equal(item.features["audio"].numpy(), features)


def crops_of(bundle, crops):
    """The bundle, looking at as many crops."""
    spec = {**VIDEO["preprocessor"], "video": {**VIDEO["preprocessor"]["video"], "crops": crops}}
    return replace(bundle, preprocessor=instantiate(spec))


def test_crops_are_averaged_and_the_timeline_has_one_entry_a_stretch(video_bundle, tmp_path):
    draw = np.random.default_rng(0)
    for name, shape in (("wide", (48, 96)), ("high", (96, 48)), ("square", (48, 48))):
        write_video(tmp_path / f"{name}.mkv", draw.integers(0, 256, (20, *shape, 3), dtype=np.uint8), fps=16)
    films = [Job(path.name, path) for path in sorted(tmp_path.iterdir())]
    one, three = (answers([crops_of(video_bundle, crops)], films) for crops in (1, 3))
    assert one == answers([video_bundle], films)
    bundle = crops_of(video_bundle, 3)
    for job in films:
        request = Request(bundle.windowing, bundle.made)
        windows = [message for message in decode(job, [request]) if isinstance(message, Window)]
        batch, lengths = collate(
            [{sense: torch.from_numpy(array) for sense, array in window.arrays.items()} for window in windows],
            bundle.preprocessor.window_steps,
        )
        probabilities = bundle.network(batch, lengths).value.double().softmax(1)
        assert probabilities.std(0).max() > 1e-6
        weights = torch.tensor([window.end_sec - window.start_sec for window in windows], dtype=torch.float64)
        mean = (probabilities * weights[:, None]).sum(0) / weights.sum()
        told = three[job.name]["tasks"]["colours"]
        assert list(told["scores"].values()) == pytest.approx(mean.tolist(), abs=1e-5)
        spans = [(window["start_sec"], window["end_sec"]) for window in told["windows"]]
        alone = one[job.name]["tasks"]["colours"]["windows"]
        assert spans == [(window["start_sec"], window["end_sec"]) for window in alone]
        assert len(windows) == 3 * len(spans)
    # A batch that ends between two crops of a stretch changes nothing.
    assert answers([bundle], films, batch_size=16, workers=1) == three
    other = answers([bundle], films, batch_size=4)
    for name, record in three.items():
        score = other[name]["tasks"]["colours"]["score"]
        assert score == pytest.approx(record["tasks"]["colours"]["score"], abs=1e-5)


def test_a_crashed_decoder_costs_one_file(bundle, jobs, monkeypatch):
    def crashing(job, requests):
        if job.name == "05.wav":
            os._exit(11)
        yield from decode(job, requests)

    expected = answers([bundle], jobs)
    monkeypatch.setattr("avpipe.inference.workers.decode", crashing)
    said = answers([bundle], jobs, workers=2)
    assert said.pop("05.wav")["reason"].endswith("the decoder crashed on it")
    del expected["05.wav"]
    assert said == expected


def test_without_memory_for_a_batch_half_of_it_gives_the_same_answers(bundle, jobs, monkeypatch, capsys):
    expected = answers([bundle], jobs)
    genuine = type(bundle.network).forward

    def scarce(self, features, lengths):
        if len(lengths["audio"]) > 4:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )
        return genuine(self, features, lengths)

    monkeypatch.setattr(type(bundle.network), "forward", scarce)
    said = answers([bundle], jobs, batch_size=16)
    assert {name: record["status"] for name, record in said.items()} == {
        name: record["status"] for name, record in expected.items()
    }
    for name, record in expected.items():
        for task, answer in record["tasks"].items():
            assert said[name]["tasks"][task]["scores"] == pytest.approx(answer["scores"], abs=1e-5)
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ", 2)[2] for line in told] == [
        f"no memory for {size} windows at a time; going on with {size // 2}" for size in (16, 8)
    ]


def test_without_memory_for_one_window_the_run_stops_with_a_line(bundle, jobs, monkeypatch):
    def none_at_all(self, features, lengths):
        raise MemoryError

    monkeypatch.setattr(type(bundle.network), "forward", none_at_all)
    with pytest.raises(RunStopped, match="not enough memory for a single window"):
        answers([bundle], jobs)


def test_two_bundles_of_one_name_are_refused(bundle):
    with pytest.raises(ArgumentError, match="two bundles of one name"):
        Predictor([bundle, bundle])


def test_calling_answers_one_file(bundle, jobs):
    assert Predictor([bundle])(jobs[3].path).to_record() == answers([bundle], jobs)["03.wav"]
    assert Predictor([bundle])("no_such.wav").status == "error"
