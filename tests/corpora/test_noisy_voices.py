"""Voices in noise: crops that are written once, what they share and what they do not, and the trials among them."""

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from avpipe.corpora import CorpusError, Example, NoisyVoices, Split, cropping, make_split
from avpipe.corpora.cropping import (
    PAUSE_POWER,
    SNRS_DB,
    TABLE,
    TAPS,
    Crop,
    equalised,
    noisy_voice,
    spoken,
    trials_table,
)
from avpipe.corpora.mixing import FULL_SCALE, PEAK, SAMPLE_RATE, read_samples
from avpipe.errors import ArgumentError
from tests.corpora import trees
from tests.corpora.test_mixtures import house, own, samples_of

CROP_SEC = 0.1
LENGTH = 1600


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return house(tmp_path_factory.mktemp("corpora"))


@pytest.fixture(scope="module")
def corpus(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NoisyVoices]:
    """As it is written by default, but for shorter crops."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        made = few(root)
        assert made.crops
        yield made


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def few(root: Path | None, **given: Any) -> NoisyVoices:
    return NoisyVoices(root, **{"crop_sec": CROP_SEC, **given})


def folder_of(corpus: NoisyVoices) -> Path:
    return corpus.crops[0][1].path.parents[1]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def table_of(corpus: NoisyVoices) -> list[tuple[Crop, Example, dict[str, str]]]:
    rows = rows_of(folder_of(corpus) / TABLE)
    return [(crop, example, row) for (crop, example), row in zip(corpus.crops, rows, strict=True)]


def crop_of(place: int = 0, places: int = 2, length: int = LENGTH) -> Crop:
    speech, noise = Example(Path("speech.wav"), "x", group="x"), Example(Path("noise.wav"), "hum", group="hum")
    return Crop("test", 0, place, places, length, speech, noise)


def babble(length: int, seed: int = 0) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).normal(0, 2000, length)).clip(-30_000, 30_000)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_equal_bytes_in_every_cache(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, dict[str, bytes]]] = []
    for place, folder in (("here", root), ("elsewhere/deep", house(tmp_path / "corpora"))):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / place))
        split = make_split(few(folder))
        written.append((split.sha256, files(tmp_path / place / "avpipe" / "noisy_voices")))
    assert len(written[0][1]) == 12 + 24 + 3
    assert written[0] == written[1]


def test_the_official_split(corpus: NoisyVoices) -> None:
    split = make_split(corpus)
    assert isinstance(split, Split)
    assert (split.method, split.warnings) == ("official", ())
    assert [len(side) for side in (split.train, split.val, split.test)] == [18, 12, 24]
    voices = [{example.group for example in side} for side in (split.train, split.val, split.test)]
    assert [len(side) for side in voices] == [18, 2, 6]
    assert len(set().union(*voices)) == 26
    assert all(example.target == example.group for side in (split.train, split.val, split.test) for example in side)
    assert all("train-clean-100" in example.path.parts for example in split.train)


def test_crops_have_the_length_and_level_promised_and_do_not_clip(corpus: NoisyVoices) -> None:
    for crop, example, row in table_of(corpus):
        samples = samples_of(example.path)
        assert len(samples) == LENGTH
        assert np.abs(samples).max() <= 0.981 * FULL_SCALE
        level_db = 10 * math.log10(np.square(samples / FULL_SCALE).mean())
        assert level_db == pytest.approx(float(row["level_db"]), abs=0.06)
        assert -32.1 < level_db <= crop.level_db + 0.01
        assert row["sha256"] == hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
        assert (row["name"], row["side"]) == (f"{crop.side}/{example.path.name}", example.path.parent.name)
        assert example.path.name.startswith(Path(row["speech"]).stem)
        assert row["voice"] == example.target


def test_the_ratio_is_that_of_the_energies_within_the_crop(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cropping, "EQUALISER_DB", 0.0)
    ratios_db = []
    for crop, example, row in table_of(few(root)):
        pieces = []
        for source, key in ((crop.speech, "speech_start_sec"), (crop.noise, "noise_start_sec")):
            start = round((float(row[key]) - source.start_sec) * SAMPLE_RATE)
            pieces.append(read_samples(source)[start : start + LENGTH])
        samples = samples_of(example.path)
        gains = np.linalg.lstsq(np.stack(pieces, 1), samples, rcond=None)[0]
        assert np.abs(gains @ np.stack(pieces) - samples).max() < 1.0
        speech, noise = (np.square(gain * piece).sum() for gain, piece in zip(gains, pieces, strict=True))
        ratios_db.append(10 * math.log10(speech / noise))
        assert ratios_db[-1] == pytest.approx(float(row["snr_db"]), abs=0.05)
    least_db, most_db = SNRS_DB
    assert least_db <= min(ratios_db) < least_db + 2
    assert most_db - 2 < max(ratios_db) <= most_db


def test_crops_of_an_utterance_overlap_as_little_as_can_be(corpus: NoisyVoices) -> None:
    starts: dict[tuple[str, int], list[int]] = {}
    for crop, _, row in table_of(corpus):
        start = round(float(row["speech_start_sec"]) * SAMPLE_RATE)
        starts.setdefault((crop.side, crop.utterance), []).append(start)
        assert 0 <= start <= len(read_samples(crop.speech)) - LENGTH
    assert len(starts) == 2 + 12
    for (side, _), places in starts.items():
        if side == "test":
            assert places[1] - places[0] >= LENGTH
        else:
            # Six of 0.1 s in 0.3 s.
            assert np.diff(places).tolist() == pytest.approx([640] * 5, abs=40)
    assert len({row["sha256"] for _, _, row in table_of(corpus)}) == 36


def test_crops_of_a_voice_have_different_noises(corpus: NoisyVoices) -> None:
    tested = [crop for crop, _ in corpus.crops if crop.side == "test"]
    assert set(Counter((crop.voice, crop.noise.group) for crop in tested).values()) == {1}
    assert set(Counter((crop.utterance, crop.noise.target) for crop in tested).values()) == {1}
    validated = [crop for crop, _ in corpus.crops if crop.side == "val"]
    # There are three for the six crops of each utterance.
    assert set(Counter((crop.utterance, crop.noise.group) for crop in validated).values()) == {2}
    sources = [{crop.noise.group for crop in side} for side in (validated, tested)]
    assert [len(side) for side in sources] == [3, 8]
    assert not sources[0] & sources[1]
    assert len({crop.equaliser_db for crop, _ in corpus.crops}) == 36


@pytest.mark.parametrize(("side", "trials", "same"), [("val", 66, 30), ("test", 264, 24)])
def test_the_trials(corpus: NoisyVoices, side: str, trials: int, same: int) -> None:
    found = corpus.trials(side)
    assert (len(found), sum(of_one_voice for _, _, of_one_voice in found)) == (trials, same)
    assert found == corpus.trials(side)
    assert len({frozenset((one, other)) for one, other, _ in found}) == trials
    for one, other, of_one_voice in found:
        assert of_one_voice == (one.group == other.group)
        utterances = {each.path.stem.rpartition("_")[0] for each in (one, other)}
        assert side == "val" or len(utterances) == 2
    folder = folder_of(corpus)
    listed = [
        (folder / row["name_1"], folder / row["name_2"], row["same"]) for row in rows_of(folder / trials_table(side))
    ]
    assert listed == [(one.path, other.path, str(int(of_one_voice))) for one, other, of_one_voice in found]


def test_training_has_no_trials(corpus: NoisyVoices) -> None:
    with pytest.raises(ValueError, match="'train' has no trials; choose from val, test"):
        corpus.trials("train")


def test_what_is_written_is_not_written_again(corpus: NoisyVoices, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(corpus)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parents[2]))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr(cropping, "write_audio", None)
    assert few(root).examples() == corpus.examples()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_other_arguments_are_another_folder(corpus: NoisyVoices, root: Path) -> None:
    longer = few(root, crop_sec=0.15)
    assert folder_of(longer).name != folder_of(corpus).name
    assert len(samples_of(longer.crops[0][1].path)) == 2400
    fewer = few(root, crops_val=2)
    assert folder_of(fewer).name not in (folder_of(corpus).name, folder_of(longer).name)
    # What is drawn for a crop does not hang on how many there are.
    snrs_db = {crop.name: crop.snr_db for crop, _ in corpus.crops}
    assert all(snrs_db[crop.name] == crop.snr_db for crop, _ in fewer.crops)


def test_own_folders(tmp_path: Path) -> None:
    speech, noise = own(tmp_path, speakers=20)
    corpus = few(None, speech=speech, noise=noise, crops_val=1)
    split = make_split(corpus)
    assert [len({example.target for example in side}) for side in (split.train, split.val, split.test)] == [16, 2, 2]
    assert [len(side) for side in (split.train, split.val, split.test)] == [32, 4, 8]
    assert corpus.licence == "not stated"
    # Their utterances are called 0 and 1, all of them: a number keeps them apart.
    assert len({crop.name.rpartition("_")[0] for crop, _ in corpus.crops}) == 8
    assert [len(corpus.trials(side)) for side in ("val", "test")] == [6, 24]


def test_voices_that_cannot_be_compared_are_told_in_one_line(tmp_path: Path) -> None:
    speech, noise = own(tmp_path)
    with pytest.raises(CorpusError, match=r"no two crops of its val side .* are of two voices; add speakers"):
        few(None, speech=speech, noise=noise).examples()
    flat = trees.write_recordings(tmp_path / "flat", [f"{number}.wav" for number in range(20)])
    with pytest.raises(CorpusError, match=r"flat: no two crops of its test side .* are of one voice; add speakers"):
        few(None, speech=flat, noise=noise).examples()


def test_a_missing_house_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVPIPE_CORPORA", raising=False)
    with pytest.raises(CorpusError, match=r"noisy_voices: neither corpus\.root nor AVPIPE_CORPORA is given"):
        NoisyVoices()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"crop_sec": 0}, r"corpus\.crop_sec=0: is no length of a crop; give seconds from 0\.1 to 60"),
        ({"crop_sec": math.nan}, r"corpus\.crop_sec=nan"),
        ({"crop_sec": "two"}, r"corpus\.crop_sec=two"),
        ({"crops_val": 0}, r"corpus\.crops_val=0: is no number of crops; give 1 or more"),
        ({"crops_test": 1.5}, r"corpus\.crops_test=1\.5"),
        ({"label": "text"}, r"corpus\.label=text: the corpus noisy_voices does not label it; choose from voice"),
    ],
)
def test_unusable_arguments_are_told_in_one_line(root: Path, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        few(root, **given)


def test_only_so_many_utterances_of_a_voice_are_cropped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cropping, "VOICE_UTTERANCES", 1)
    planned = cropping.plan_crops(few(root).sources["test"], "test", 2, LENGTH)
    assert Counter(crop.voice for crop in planned) == dict.fromkeys("012345", 2)


def starts_of(speech: np.ndarray, places: int) -> list[int]:
    pieces = spoken([crop_of(place, places) for place in range(places)], speech)
    for piece, start in pieces:
        assert np.array_equal(piece, speech[start : start + LENGTH])
        assert np.square(piece).mean() >= PAUSE_POWER * np.square(speech).mean()
    return [start for _, start in pieces]


def test_a_crop_is_no_pause() -> None:
    # The last crop's own part is a pause: it moves to where the others are not.
    silence = np.zeros(8000)
    first, second = starts_of(np.concatenate((babble(8000), silence)), 2)
    assert abs(second - first) >= LENGTH
    first, second, third = starts_of(np.concatenate((babble(8000), silence, babble(8000, 1))), 3)
    assert min(abs(second - first), abs(third - second), third - first) >= LENGTH
    assert len(starts_of(np.concatenate((silence, silence, babble(100))), 4)) == 4


def test_what_is_shorter_than_a_crop_is_repeated() -> None:
    for piece, start in spoken([crop_of(0), crop_of(1)], babble(1000)):
        assert len(piece) == LENGTH
        assert 0 <= start < 1000
        assert np.square(piece.reshape(16, 100)).mean(axis=1).min() > 1e6
    whole = babble(LENGTH)
    assert all(np.array_equal(piece, whole) for piece, _ in spoken([crop_of(0), crop_of(1)], whole))


def test_loud_clicks_lower_the_whole_crop() -> None:
    clicks = np.zeros(LENGTH)
    clicks[::800] = 30_000.0
    samples, _, level_db = noisy_voice(crop_of(), clicks, babble(4000))
    assert np.abs(samples.astype(int)).max() == pytest.approx(PEAK * FULL_SCALE, abs=1)
    assert level_db < crop_of().level_db
    assert 10 * math.log10(np.square(samples / FULL_SCALE).mean()) == pytest.approx(level_db, abs=0.05)


def test_a_silent_noise_is_named() -> None:
    with pytest.raises(CorpusError, match=r"noise\.wav: is silent, at least in part; remove it"):
        noisy_voice(crop_of(), babble(LENGTH), np.zeros(4000))


def test_the_equaliser_goes_through_what_was_drawn_and_delays_nothing() -> None:
    levels_db = (3.0, -2.0, 6.0, -6.0, 4.0, -5.0)
    click = np.zeros(4 * SAMPLE_RATE)
    click[20_000] = 10_000.0
    heard = equalised(click, levels_db)
    assert np.abs(heard).argmax() == 20_000
    assert not heard[: 20_000 - TAPS // 2].any()
    gains_db = 20 * np.log10(np.abs(np.fft.rfft(heard))[: 8000 * 4 + 1] / 10_000)
    knots = np.rint(np.geomspace(100, 8000, 6) * 4).astype(int)
    assert gains_db[knots] == pytest.approx(levels_db, abs=1.5)
    assert np.abs(gains_db).max() < 6.1
    assert np.abs(np.diff(gains_db[4 * 100 :: 4])).max() < 0.1


def test_the_sums_of_the_equaliser_are_exact() -> None:
    # Its taps are symmetric: backwards they are added in another order.
    samples = babble(5000) * math.pi
    levels_db = (3.0, -2.0, 6.0, -6.0, 4.0, -5.0)
    assert np.array_equal(equalised(samples, levels_db), equalised(samples[::-1], levels_db)[::-1])
    assert np.array_equal(equalised(babble(5000), (0.0,) * 6), babble(5000))


@pytest.mark.corpora
def test_the_real_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # into the cache of all tests, which is removed after them
    corpus = NoisyVoices()
    split = make_split(corpus)
    assert [len(side) for side in (split.train, split.val, split.test)] == [226, 150, 200]
    assert split.warnings == ()
    counts = {side: Counter(same for _, _, same in corpus.trials(side)) for side in ("val", "test")}
    assert counts == {"val": {True: 375, False: 10_800}, "test": {True: 1800, False: 18_000}}
    # No pair of one voice shares a noise: what it shares is the voice.
    assert set(Counter((crop.side, crop.voice, crop.noise.group) for crop, _ in corpus.crops).values()) == {1}
    assert set(Counter((crop.side, crop.utterance, crop.noise.target) for crop, _ in corpus.crops).values()) == {1}
    # Of what every result is stated on; it changes with the recipe, which then takes another VERSION.
    assert folder_of(corpus).name == "5931b2ec01283303"


def test_at_another_speed_a_voice_is_another_one(root: Path) -> None:
    plain = few(root).official_split()
    more = few(root, speeds=[0.8, 1.25]).official_split()
    assert {each for each, side in plain.items() if side != "train"} == {
        each for each, side in more.items() if side != "train"
    }
    own = [each for each, side in plain.items() if side == "train"]
    trained = {each.path: each for each, side in more.items() if side == "train"}
    assert len(trained) == 3 * len(own)
    for example in own:
        assert trained[example.path] == example
        for speed in (0.8, 1.25):
            (other,) = [
                each
                for each in trained.values()
                if each.target == f"{example.target}x{speed:g}" and each.path.stem.endswith(example.path.stem)
            ]
            assert other.group == other.target
            seconds = [soundfile.info(each.path).duration for each in (example, other)]
            assert seconds[0] / seconds[1] == pytest.approx(speed, rel=0.01)
    assert few(root, speeds=[0.8, 1.25]).official_split() == more


@pytest.mark.parametrize("speeds", [[1.0], [0.1], ["fast"], [True]])
def test_a_speed_that_is_none_is_told(root: Path, speeds: list[Any]) -> None:
    with pytest.raises(ArgumentError, match=r"corpus\.speeds="):
        few(root, speeds=speeds)
