"""Strings of digits: what stands in them, and the files that are written once."""

import csv
import hashlib
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from avpipe.corpora import CorpusError, DigitStrings, Example, Fsdd, joining, make_folds, make_split
from avpipe.corpora.joining import FADE_SEC, PEAK, SAMPLE_RATE, TABLE, WORDS, DigitString, joined, plan_strings
from avpipe.corpora.mixing import FULL_SCALE
from avpipe.errors import ArgumentError
from avpipe.media import read_clip
from tests.corpora import trees

SPEAKERS = ("george", "lucas", "theo")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.fsdd(tmp_path_factory.mktemp("fsdd"), takes=12)


def few(root: Path, seed: int = 0) -> DigitStrings:
    return DigitStrings(root, num_train=12, num_val=6, num_test=9, seed=seed)


def takes(digits: int = 10, speakers: int = 3, count: int = 5) -> list[Example]:
    """The names alone: nothing is opened where strings are laid down."""
    return [
        Example(Path(f"{digit}_{speaker}_{take}.wav"), str(digit), group=speaker)
        for digit in range(digits)
        for speaker in SPEAKERS[:speakers]
        for take in range(count)
    ]


def string(
    pauses: tuple[int, ...] = (800, 400, 800), level_db: float = -25.0, noise_db: float | None = None
) -> DigitString:
    chosen = tuple(takes(digits=len(pauses) - 1, speakers=1, count=1))
    return DigitString("test", 0, chosen, (0.0,) * len(chosen), pauses, level_db, noise_db, seed=0)


def samples_of(path: Path) -> np.ndarray:
    clip = read_clip(path)
    assert (clip.sample_rate, clip.waveform.shape[0]) == (SAMPLE_RATE, 1)
    return np.rint(clip.waveform[0].astype(np.float64) * FULL_SCALE)


def level_db(samples: np.ndarray) -> float:
    return 10 * math.log10(np.square(samples / FULL_SCALE).mean())


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_equal_bytes_in_every_cache(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    for place, folder in (("here", root), ("elsewhere/deep", root / "recordings")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / place))
        split = make_split(few(folder))
        written.append((split.sha256, files(tmp_path / place / "avpipe" / "digit_strings")))
    assert len(written[0][1]) == 28
    assert written[0] == written[1]


def test_the_official_split_shares_no_take(root: Path) -> None:
    corpus = few(root)
    split = make_split(corpus)
    assert split.method == "official"
    assert [len(side) for side in (split.train, split.val, split.test)] == [12, 6, 9]
    used = {
        side: {int(take.path.stem.rpartition("_")[2]) for string, _ in corpus.strings if string.side == side
               for take in string.takes}
        for side in ("train", "val", "test")
    }  # fmt: skip
    assert used == {"train": {10, 11}, "val": {5, 6, 7, 8, 9}, "test": {0, 1, 2, 3, 4}}
    assert "do not tell how unseen ones fare" in split.warnings[0]


def test_a_fold_that_leaves_a_speaker_out_tests_on_that_speaker_alone(root: Path) -> None:
    folds = make_folds(few(root), "leave_one_group_out")
    assert [{each.group for each in fold.test} for fold in folds] == [{speaker} for speaker in SPEAKERS]
    for fold, speaker in zip(folds, SPEAKERS, strict=True):
        assert len(fold.test) == 9
        assert speaker not in {each.group for each in (*fold.train, *fold.val)}
        assert all(speaker in each.path.name for each in fold.test)


def test_every_take_and_every_digit_come_about_equally_often() -> None:
    planned = plan_strings(takes(), "test", 100, seed=0)
    assert Counter(each.speaker for each in planned) == {"george": 34, "lucas": 33, "theo": 33}
    for speaker in SPEAKERS:
        used = Counter(take.path for each in planned if each.speaker == speaker for take in each.takes)
        assert len(used) == 50
        assert max(used.values()) - min(used.values()) <= 1
    digits = Counter(take.target for each in planned for take in each.takes)
    assert len(digits) == 10
    assert max(digits.values()) < 1.2 * min(digits.values())


def test_what_is_drawn_stays_within_its_limits() -> None:
    planned = plan_strings(takes(), "train", 300, seed=1)
    assert set(Counter(len(each.takes) for each in planned)) == {3, 4, 5, 6, 7}
    edges = [pause / SAMPLE_RATE for each in planned for pause in (each.pauses[0], each.pauses[-1])]
    gaps = [pause / SAMPLE_RATE for each in planned for pause in each.pauses[1:-1]]
    for drawn, (least, most) in ((edges, (0.1, 0.5)), (gaps, (0.05, 0.6))):
        assert least <= min(drawn) < least + 0.02
        assert most - 0.02 < max(drawn) <= most
    levels = [each.level_db for each in planned]
    assert (min(levels) >= -35, max(levels) <= -15, max(levels) - min(levels) > 19) == (True, True, True)
    assert all(-75 <= each.noise_db <= -50 for each in planned if each.noise_db is not None)
    for speaker in SPEAKERS:
        assert Counter(each.noise_db is None for each in planned if each.speaker == speaker) == {True: 50, False: 50}
    pairs = [pair for each in planned for pair in zip(each.text.split(), each.text.split()[1:], strict=False)]
    assert any(first == second for first, second in pairs)


def test_the_table_tells_what_every_file_is(root: Path, tmp_path: Path) -> None:
    corpus = few(root)
    examples = {example.path: example for example in corpus.examples()}
    (folder,) = (tmp_path / "cache" / "avpipe" / "digit_strings").iterdir()
    with (folder / TABLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {folder / row["name"] for row in rows} == set(examples)
    length = {take.path.stem: len(samples_of(take.path)) for take in Fsdd(root).examples()}
    for row in rows:
        example, samples = examples[folder / row["name"]], samples_of(folder / row["name"])
        names, pauses_sec = row["takes"].split(), [float(pause) for pause in row["pauses_sec"].split()]
        assert (row["text"], row["speaker"]) == (example.target, example.group)
        assert row["text"].split() == [WORDS[int(name[0])] for name in names]
        assert {name.split("_")[1] for name in names} == {row["speaker"]}
        assert row["side"] == example.path.parent.name
        assert len(samples) == sum(length[name] for name in names) + round(sum(pauses_sec) * SAMPLE_RATE)
        assert row["sha256"] == hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
        pause = samples[: round(pauses_sec[0] * SAMPLE_RATE)]
        if row["noise_db"]:
            assert level_db(pause) == pytest.approx(float(row["noise_db"]), abs=0.7)
        else:
            assert not pause.any()
        assert np.abs(samples).max() < 0.97 * FULL_SCALE


def test_digits_have_the_level_drawn_and_edges_that_do_not_click() -> None:
    hum = 3000 + np.rint(1000 * np.sin(np.arange(4000) / 3))  # with an offset, as some of FSDD have
    samples, found_db = joined(string(), lambda take: hum)
    assert found_db == pytest.approx(-25.0)
    digit = samples[800:4800].astype(float)
    assert level_db(digit) == pytest.approx(-25.0, abs=0.1)
    assert not samples[:800].any()
    assert not samples[4800:5200].any()
    fade = round(FADE_SEC * SAMPLE_RATE)
    assert np.abs(digit[:3]).max() < 0.1 * np.abs(digit).max()
    assert abs(digit[fade:-fade].mean()) < 0.01 * np.abs(digit).max()


def test_loud_and_soft_takes_have_one_level() -> None:
    loud = np.rint(8000 * np.sin(np.arange(4000) / 3))
    samples, _ = joined(string(), lambda take: loud if take.target == "0" else np.rint(loud / 50))
    assert level_db(samples[800:4800]) == pytest.approx(level_db(samples[5200:9200]), abs=0.1)


def test_what_would_clip_is_softer() -> None:
    clicks = np.zeros(4000)
    clicks[500::1000] = 30_000.0
    samples, found_db = joined(string(level_db=-15.0, noise_db=-50.0), lambda take: clicks)
    assert np.abs(samples.astype(int)).max() == pytest.approx(PEAK * FULL_SCALE, rel=0.012)
    assert found_db < -25


def test_what_is_written_is_not_written_again(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = few(root).examples()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}
    monkeypatch.setattr(joining, "write_audio", None)
    assert few(root).examples() == examples
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")} == before


def test_another_seed_number_or_take_is_another_folder(root: Path, tmp_path: Path) -> None:
    own = trees.fsdd(tmp_path / "own", takes=11)
    folders = [few(own).strings[0][1].path.parents[1], few(own, seed=1).strings[0][1].path.parents[1]]
    folders.append(DigitStrings(own, num_train=13, num_val=6, num_test=9).strings[0][1].path.parents[1])
    first = few(own).strings[0][0].takes[0].path
    trees.write_recording(first, "another take")
    folders.append(few(own).strings[0][1].path.parents[1])
    assert len(set(folders)) == 4
    assert all(folder.is_dir() for folder in folders)


def test_a_cache_that_cannot_be_written_is_told_in_one_line(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CorpusError, match=r"the strings of digits cannot be written .*XDG_CACHE_HOME") as caught:
        few(root).examples()
    assert "\n" not in str(caught.value)


def test_what_cannot_be_joined_is_named(tmp_path: Path) -> None:
    own = trees.fsdd(tmp_path / "own", takes=11)
    path = own / "recordings" / "1_theo_10.wav"
    data = path.read_bytes()
    path.write_bytes(data[:44] + bytes(len(data) - 44))
    with pytest.raises(CorpusError, match=r"1_theo_10\.wav: is silent; remove it"):
        few(own).examples()
    for recording in own.rglob("*_10.wav"):
        recording.unlink()
    with pytest.raises(CorpusError, match=r"own: holds no takes that train strings are made of; complete the corpus"):
        few(own).examples()


@pytest.mark.parametrize("number", [0, -3, 2.5, True, "many"])
def test_an_unusable_number_of_strings_is_told_in_one_line(root: Path, number: int) -> None:
    with pytest.raises(ArgumentError, match=r"corpus\.num_val=.*: is no number of strings; give 1 or more"):
        DigitStrings(root, num_val=number)


@pytest.mark.corpora
def test_the_real_strings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # into the cache of all tests, which is removed after them
    corpus = DigitStrings()
    split = make_split(corpus)
    assert [len(side) for side in (split.train, split.val, split.test)] == [2000, 200, 500]
    assert {take.path for string, _ in corpus.strings for take in string.takes} == {
        take.path for take in Fsdd().examples()
    }
    digits = Counter(word for example in split.test for word in str(example.target).split())
    assert max(digits.values()) < 1.1 * min(digits.values())
    # Of what every result is stated on; they change with the recipe, which then takes another VERSION.
    table = corpus.strings[0][1].path.parents[1] / TABLE
    samples = "5e2ac74b0933fbcf352597d20cae8e1cd8861cb0d75fc76e8de2aa7277e857d7"
    assert hashlib.sha256(table.read_bytes()).hexdigest() == samples
    assert split.sha256 == "fb2682ca9c1af7f9af0d112b7395209553b27fa7e187beb28ed97394432d458b"


def test_a_noise_is_heard_behind_the_strings_at_its_ratio(root: Path, tmp_path: Path) -> None:
    noise = trees.write_recording(tmp_path / "hum.wav", samples=8000)
    plain = few(root)
    noisy = DigitStrings(root, num_train=12, num_val=6, num_test=9, noise=noise, snr_db=10.0)
    for (string, quiet), (same, loud) in zip(plain.strings, noisy.strings, strict=True):
        assert string == same
        assert quiet.path != loud.path
        clean, mixed = samples_of(quiet.path), samples_of(loud.path)
        scale = float(clean @ mixed) / float(clean @ clean)
        assert level_db(scale * clean) - level_db(mixed - scale * clean) == pytest.approx(10.0, abs=1.0)
        assert np.abs(mixed).max() <= PEAK * FULL_SCALE + 1
    again = DigitStrings(root, num_train=12, num_val=6, num_test=9, noise=noise, snr_db=5.0)
    assert {example.path for _, example in again.strings}.isdisjoint(example.path for _, example in noisy.strings)


def test_an_unusable_noise_is_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"corpus\.noise=.*is no file"):
        DigitStrings(root, noise=tmp_path / "none.wav")
    noise = trees.write_recording(tmp_path / "hum.wav")
    with pytest.raises(ArgumentError, match=r"corpus\.snr_db="):
        DigitStrings(root, noise=noise, snr_db=math.inf)
    silent = np.zeros(SAMPLE_RATE)
    with pytest.raises(CorpusError, match="silent"):
        joining.behind(np.ones(400, np.int16), string(), silent, 10.0)
