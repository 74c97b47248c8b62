import base64
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

from avpipe.features import FrameStack, LogMel, Preprocessor
from avpipe.media import UnwritableMedia, read_clip, write_audio
from avpipe.report import (
    CrossValidationReport,
    EvaluationReport,
    FoldRow,
    ScoredAnswer,
    TrainingReport,
    images,
    write_cross_validation_report,
    write_evaluation_report,
    write_training_report,
)
from avpipe.report.sections import sections
from tests.report.reading import Page, answers_of
from tests.synthetic import write_coloured_video, write_noise_wav

LABELS = ["high", "low", "middle"]
HISTORY = [
    {"epoch": epoch, "train/loss": 2 / epoch, "val/loss": 2.5 / epoch, "val/uar": 1 - 1 / epoch, "lr": 1e-3}
    for epoch in range(1, 6)
]
HOSTILE = "<script>alert(\"x\")</script> & 'q' \udcff \x1b[31m {{ 7 * 7 }} " + "long" * 60


def hearing() -> Preprocessor:
    return Preprocessor(1.0, 0.5, audio=LogMel(8000, 256, 80, 40))


def seeing() -> Preprocessor:
    return Preprocessor(0.5, 0.25, video=FrameStack(40, 32, 0.05))


def evaluation(answers, labels=LABELS, **changes) -> EvaluationReport:
    content = {
        "title": "pitch on tones",
        "command": "avpipe evaluate bundle=pitch",
        "settings": {"task": {"name": "pitch"}, "seed": 0, "channels": [4, 8], "root": None},
        "metrics": {"accuracy": 0.61234, "ece": 0.05, "f1": math.nan},
        "intervals": {"accuracy": (0.5, 0.7)},
        "part": "test",
        "answers": answers,
        "labels": labels,
        "preprocessor": hearing(),
    }
    return EvaluationReport(**{**content, **changes})


def training(answers, history=HISTORY, **changes) -> TrainingReport:
    one = evaluation(answers, **changes)
    return TrainingReport(history=history, **{name: getattr(one, name) for name in EvaluationReport.__slots__})


def sample_answers(samples: Path) -> list[ScoredAnswer]:
    """Real recordings, all called something else than they are."""
    names = ["one.wav", "three.m4a", "six_film.mp4", "four_stereo_44100.mp3", "three_truncated.wav"]
    return [
        ScoredAnswer(
            samples / name, name, 0.0, None, "", "low", "high", 0.9, {"high": 0.9, "low": 0.06, "middle": 0.04}
        )
        for name in names
    ]


def test_examples_without_a_group_are_counted_as_such(samples):
    ungrouped = sample_answers(samples)
    grouped = [replace(answer, group="a") for answer in ungrouped[:2]]
    found = sections(ungrouped, None, LABELS, None).told_groups, sections([*ungrouped, *grouped], None, LABELS, None)
    assert found[0] == "5 examples without a group"
    assert found[1].told_groups == "1 group and 5 examples without a group"


def test_a_training_is_told_with_pictures_and_sounds(tmp_path, samples):
    answers = [*answers_of(40, LABELS, right=1), *sample_answers(samples)]
    refused = ScoredAnswer(Path("x"), "x", 0, None, "", "low", "unknown", 0.4, {"high": 0.4, "low": 0.3, "middle": 0.3})
    report = training([*answers, refused], uncalibrated=answers, temperature=1.5, threshold=0.45, notes=["mind <this>"])
    page = Page(write_training_report(tmp_path / "report.html", report))
    page.check()
    assert "0.612" in page.text
    assert "0.500 to 0.700" in page.text
    assert "mind <this>" in page.text
    assert "temperature of 1.500" in page.text
    assert "unknown" in page.text
    assert [heading in page.text for heading in ("Loss by epoch", "Reliability", "Refusing the unsure")] == [True] * 3
    assert len(page.all("audio")) == len(page.all("img")) == 5
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


def test_the_player_holds_what_the_file_says(tmp_path, samples):
    page = Page(write_evaluation_report(tmp_path / "report.html", evaluation(sample_answers(samples)[:1])))
    (player,) = page.all("audio")
    head, _, content = player["src"].partition(",")
    assert head == "data:audio/mpeg;base64"
    (tmp_path / "back.mp3").write_bytes(base64.b64decode(content))
    heard = read_clip(tmp_path / "back.mp3", sample_rate=16_000).waveform[0]
    true = read_clip(samples / "one.wav", sample_rate=16_000, mono=True).waveform[0]
    assert abs(len(heard) - len(true)) < 1600
    length = min(len(heard), len(true))
    assert np.corrcoef(heard[:length], true[:length])[0, 1] > 0.95


def test_a_long_sound_is_cut(tmp_path):
    write_noise_wav(tmp_path / "long.wav", 20.0)
    answer = ScoredAnswer(
        tmp_path / "long.wav", "long.wav", 3.0, 15.0, "", "low", "high", 0.9, {"high": 0.9, "low": 0.1}
    )
    page = Page(write_evaluation_report(tmp_path / "report.html", evaluation([answer])))
    (player,) = page.all("audio")
    (tmp_path / "back.mp3").write_bytes(base64.b64decode(player["src"].partition(",")[2]))
    assert read_clip(tmp_path / "back.mp3").waveform.shape[1] / 16_000 == pytest.approx(6.0, abs=0.1)
    assert "from 3 s to 15 s" in page.text


def test_films_are_shown_as_strips(tmp_path):
    path = write_coloured_video(tmp_path / "film.mkv", 30)
    answer = ScoredAnswer(path, "film.mkv", 0.0, None, "", "low", "high", 0.9, {"high": 0.9, "low": 0.1})
    page = Page(write_evaluation_report(tmp_path / "report.html", evaluation([answer], preprocessor=seeing())))
    page.check()
    (picture,) = page.all("img")
    assert picture["alt"].startswith("6 of 10 frames")
    assert page.all("audio") == []


def test_files_that_cannot_be_read_leave_their_reason(tmp_path, samples):
    scores = {"high": 0.9, "low": 0.1}
    paths = [
        samples / "empty.flac",
        samples / "text.wav",
        samples / "film_without_sound.mp4",
        tmp_path / "gone\udcff.wav",
    ]
    answers = [ScoredAnswer(path, path.name, 0.0, None, "", "low", "high", 0.9, scores) for path in paths]
    answers.append(ScoredAnswer(samples / "one.wav", "one.wav", 50.0, 60.0, "", "low", "high", 0.9, scores))
    page = Page(write_evaluation_report(tmp_path / "report.html", evaluation(answers)))
    page.check()
    assert page.text.count("cannot be shown: ") == 5
    assert page.all("img") == []


def test_names_stay_names(tmp_path):
    labels = [HOSTILE, "low"]
    scores = {HOSTILE: 0.9, "low": 0.1}
    answers = [ScoredAnswer(Path("/x" + HOSTILE), HOSTILE, 0, None, HOSTILE, "low", HOSTILE, 0.9, scores)]
    report = training(
        answers, [{"epoch": 1, HOSTILE: 0.5}], labels=labels, title=HOSTILE, command=HOSTILE, part=HOSTILE,
        settings={HOSTILE: HOSTILE}, metrics={HOSTILE: 0.5}, notes=[HOSTILE],
    )  # fmt: skip
    page = Page(write_training_report(tmp_path / "report.html", report))
    page.check()
    assert page.all("script") == []
    shown = HOSTILE.replace("\udcff", "\\udcff").replace("\x1b", "\\x1b")
    assert page.text.count(shown) >= 10
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


@pytest.mark.parametrize(
    ("count", "num_labels", "groups", "right"),
    [(1, 2, 1, 1), (1, 2, 1, 0), (50, 2, 1, 1), (900, 60, 300, 0.7), (900, 60, 450, 0.7), (0, 3, 1, 0)],
)
def test_extremes(tmp_path, count, num_labels, groups, right):
    labels = [f"label {index}" for index in range(num_labels)]
    report = training(answers_of(count, labels, groups, right=right), HISTORY[:1], labels=labels)
    page = Page(write_training_report(tmp_path / "report.html", report))
    page.check()
    assert ("No answer was wrong." in page.text) == (right == 1)
    assert ("150 in the middle are left out." in page.text) == (groups == 450)
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


@pytest.mark.parametrize(
    "history",
    [
        [],
        [{}],
        [{"epoch": 1, "val/loss": math.nan}],
        [{"epoch": math.nan, "val/uar": 0.5}, {"epoch": 2, "val/uar": 7}],
        [{"epoch": 1, "val/loss": 1.0, "val/uar": math.nan}, {"epoch": 2, "val/loss": math.inf, "val/uar": 0.5}],
        [{"train/loss": 1.0}, {"val/loss": 2.0}, {"train/loss": 1.0, "seconds": 3.0}],
        [{"epoch": epoch, **{f"val/metric{key}": 0.1 * key for key in range(10)}} for epoch in range(100)],
    ],
    ids=["none", "empty", "nan", "no epoch", "gaps", "ragged", "many"],
)
def test_odd_histories(tmp_path, history):
    page = Page(write_training_report(tmp_path / "report.html", training(answers_of(9, LABELS), history)))
    page.check()
    assert ("Never a finite number: val/loss" in page.text) == (len(history) == 1 and "val/loss" in history[0])


def folds(count: int) -> list[FoldRow]:
    floor = {"accuracy": 0.4, "uar": 0.3}
    return [
        FoldRow(
            f"fold {k}", [f"g{k}", f"<b>{k}"], 10 + k, {"accuracy": 0.5 + k / 100, "uar": 0.4}, floor if k else None
        )
        for k in range(count)
    ]


def cross_validation(count: int, **changes) -> CrossValidationReport:
    content = {
        "title": "pitch on tones",
        "command": "avpipe train cv=5",
        "settings": {},
        "folds": folds(count),
        "mean": {"accuracy": 0.52, "uar": 0.4},
        "sd": {"accuracy": 0.016, "uar": 0.0},
        "intervals": {"accuracy": (0.45, 0.58), "uar": (math.nan, math.nan)},
        "pooled": {"accuracy": 0.53, "ece": 0.04, "ece_uncalibrated": 0.14},
        "answers": answers_of(60, LABELS, groups=12),
        "uncalibrated": answers_of(60, LABELS, groups=12, seed=1),
        "labels": LABELS,
        "notes": ["group <b>x</b> has no example of 'low'"],
    }
    return CrossValidationReport(**{**content, **changes})


@pytest.mark.parametrize("count", [1, 5, 24])
def test_a_cross_validation_is_told(tmp_path, count):
    page = Page(write_cross_validation_report(tmp_path / "cv.html", cross_validation(count)))
    page.check()
    assert "tested: g0, <b>0" in page.text
    assert "0.016" in page.text
    assert "before calibration: ECE" in page.text
    assert page.all("b") == []


def test_a_cross_validation_of_nothing(tmp_path):
    report = cross_validation(0, answers=[], uncalibrated=None, mean={}, sd={}, intervals={}, pooled={}, notes=())
    Page(write_cross_validation_report(tmp_path / "cv.html", report)).check()


def test_the_same_page_twice_and_in_threads(tmp_path, samples):
    report = training([*answers_of(30, LABELS, right=1), *sample_answers(samples)[:2]], HISTORY[:2])
    write_training_report(tmp_path / "first.html", report)
    with ThreadPoolExecutor(2) as pool:
        others = list(pool.map(lambda k: write_training_report(tmp_path / f"{k}.html", report), range(2)))
    assert {path.read_bytes() for path in others} == {(tmp_path / "first.html").read_bytes()}


def test_nothing_global_is_changed(tmp_path):
    before = dict(matplotlib.rcParams)
    write_training_report(tmp_path / "report.html", training(answers_of(9, LABELS)))
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_colours_are_the_page_s(tmp_path):
    page = Page(write_training_report(tmp_path / "report.html", training(answers_of(9, LABELS))))
    drawn = page.source[page.source.index("<main>") :]
    assert "#0101" not in drawn
    assert "#0102" not in drawn
    assert "stroke: var(--c0)" in drawn
    assert "#000000" not in drawn


def test_without_an_mp3_encoder_the_player_holds_wav(tmp_path, samples, monkeypatch):
    def write_without_mp3(path, *arguments, **options):
        if path.suffix == ".mp3":
            raise UnwritableMedia(path, "no encoder")
        write_audio(path, *arguments, **options)

    monkeypatch.setattr(images, "write_audio", write_without_mp3)
    report = evaluation(sample_answers(samples)[:1])
    (player,) = Page(write_evaluation_report(tmp_path / "report.html", report)).all("audio")
    assert player["src"].startswith("data:audio/wav;base64,UklGR")


def test_what_has_no_labels_is_a_table_of_measures_with_the_weakest_first(tmp_path):
    answers = [
        ScoredAnswer(Path(name), name, 0.0, None, "", "", "", 0.0, {"si_sdr": 12.0, "si_sdr_gain": gain})
        for name, gain in (("good.wav", 8.5), (HOSTILE, -1.25), ("fair.wav", 4.0))
    ]
    answers.append(ScoredAnswer(Path("clean.wav"), "clean.wav", 0.0, None, "", "", "", 0.0, {"si_sdr": 31.0}))
    page = Page(write_evaluation_report(tmp_path / "page.html", evaluation(answers, labels=())))
    assert "4 recordings" in page.text
    places = [page.text.index(word) for word in ("-1.25", "4.000", "8.500", "31.000")]
    assert places == sorted(places)
    assert "Confusion" not in page.text
    assert "<script>" not in page.source


def transcript(name, true, said):
    return ScoredAnswer(Path(name), name, 0.0, None, "", true, said, 0.5, {})


def test_transcripts_are_a_table_with_the_most_edits_first(tmp_path):
    answers = [
        transcript("right.wav", "One, two.", "one two"),
        transcript("near.wav", "one two three", "one too three"),
        transcript(HOSTILE, "", "<b>four</b> five"),
        transcript("long.wav", "six " * 200, "six " * 199),
        transcript("short.wav", "seven", ""),
    ]
    page = Page(write_evaluation_report(tmp_path / "page.html", evaluation(answers, labels=(), texts=True)))
    page.check()
    assert "5 transcripts" in page.text
    assert "4 of 5 have errors." in page.text
    assert "right.wav" not in page.text
    assert page.text.index("<b>four</b> five") < page.text.index("short.wav 1 1 seven")
    assert page.text.index("short.wav 1 1 seven") < page.text.index("near.wav 1 3 one two three one too three")
    assert "long.wav 1 200" in page.text
    assert "six " * 100 not in page.text
    assert "<b>" not in page.source
    assert "Confusion" not in page.text


def test_of_many_transcripts_the_page_says_what_it_leaves_out(tmp_path):
    answers = [transcript(f"{place}.wav", "one two", "one") for place in range(60)]
    page = Page(write_evaluation_report(tmp_path / "page.html", evaluation(answers, labels=(), texts=True)))
    assert "60 of 60 have errors; here are the 40 with most edits, answers.csv has all." in page.text
    assert len(page.all("tr")) < 60
    right = [transcript("a.wav", "one", "one")]
    page = Page(write_evaluation_report(tmp_path / "page.html", evaluation(right, labels=(), texts=True)))
    assert "0 of 1 have errors" in page.text


def test_a_cross_validation_of_transcripts_has_no_confusion_of_texts(tmp_path):
    answers = [transcript(f"{place}.wav", f"one {place}", "one") for place in range(30)]
    report = CrossValidationReport(
        title="speech",
        command="",
        settings={},
        folds=[FoldRow("fold-1", ["a"], 30, {"wer": 0.5})],
        mean={"wer": 0.5},
        sd={"wer": 0.0},
        intervals={},
        pooled={"wer": 0.5},
        answers=answers,
        labels=(),
    )
    page = Page(write_cross_validation_report(tmp_path / "page.html", report))
    page.check()
    assert "What was said of what" not in page.text
    assert "30 examples, out of their folds." in page.text
