"""The committed samples are the ones the README tells of, small, and as good or as broken as they are meant to be."""

import csv
import filecmp
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from avpipe.media import Clip, UnreadableMedia, read_clip

SOUND_RATES_HZ = {
    "a/seven.wav": 16_000,
    "b/seven.wav": 16_000,
    "eight_rotated.mp4": 16_000,
    "four_stereo_44100.mp3": 44_100,
    "one_truncated.mp4": 16_000,
    "nine_variable_rate.mp4": 16_000,
    "one.wav": 16_000,
    "six_film.mp4": 16_000,
    "three.m4a": 48_000,
    "three_truncated.wav": 8_000,
    "five (take 3) [final] \N{MICROPHONE}.wav": 16_000,
    "two.flac": 16_000,
    "zero.wav": 8_000,
}
TRUNCATED = {"one_truncated.mp4", "three_truncated.wav"}
NO_MEDIA = {"empty.flac", "text.wav"}
FILMS = {"eight_rotated.mp4", "nine_variable_rate.mp4", "six_film.mp4", "film_without_sound.mp4"}
ALL_FILES = SOUND_RATES_HZ.keys() | FILMS | NO_MEDIA | {"labels.csv"}


def files_of(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def read_film(path: Path) -> Clip:
    return read_clip(path, audio=False, video=True)


def test_these_files_and_no_others_in_one_megabyte(samples: Path) -> None:
    files = files_of(samples)
    assert files.keys() == ALL_FILES
    assert sum(path.stat().st_size for path in files.values()) <= 1_000_000


def test_labels_name_every_file_in_which_a_digit_is_said(samples: Path) -> None:
    with (samples / "labels.csv").open(encoding="utf-8", newline="") as file:
        labels = {row["path"]: (row["label"], row["text"]) for row in csv.DictReader(file)}
    assert labels.keys() == SOUND_RATES_HZ.keys()
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    for path, (label, text) in labels.items():
        assert words[int(label)] == text
        assert Path(path).name.startswith(text)


@pytest.mark.parametrize(("name", "rate_hz"), SOUND_RATES_HZ.items(), ids=SOUND_RATES_HZ.keys())
def test_sound_is_there_and_loud_enough(samples: Path, name: str, rate_hz: int) -> None:
    clip = read_clip(samples / name)
    assert clip.waveform is not None
    assert clip.sample_rate == rate_hz
    assert clip.waveform.shape[0] == (2 if "stereo" in name else 1)
    assert 0.3 < np.abs(clip.waveform).max() <= 1
    assert clip.coverage.truncated == (name in TRUNCATED)
    assert (clip.coverage.lost_sec > 0.5) == (name in TRUNCATED)


def test_two_files_of_one_name_differ(samples: Path) -> None:
    assert not filecmp.cmp(samples / "a" / "seven.wav", samples / "b" / "seven.wav", shallow=False)


@pytest.mark.parametrize("name", sorted(FILMS))
def test_pictures_are_upright(samples: Path, name: str) -> None:
    frames = read_film(samples / name).frames
    assert frames is not None
    assert frames.shape[1:] == (72, 96, 3)
    top, bottom = frames[:, :8].mean(), frames[:, -8:].mean()
    assert top > bottom + 50
    # The disc, the only thing that is yellow, wanders to the right.
    columns = [np.flatnonzero((frame[..., 0] > 180) & (frame[..., 2] < 120)) % 96 for frame in frames]
    assert columns[0].mean() + 20 < columns[-1].mean()


def test_variable_rate_varies(samples: Path) -> None:
    times_sec = read_film(samples / "nine_variable_rate.mp4").frame_times_sec
    assert times_sec is not None
    np.testing.assert_allclose(np.unique(np.diff(times_sec).round(3)), [0.04, 0.1])


@pytest.mark.parametrize("name", sorted(NO_MEDIA))
def test_no_media_is_refused(samples: Path, name: str) -> None:
    with pytest.raises(UnreadableMedia, match=name):
        read_clip(samples / name)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_the_script_makes_the_same_files(samples: Path, repository: Path, tmp_path: Path) -> None:
    """Names only: other versions of espeak-ng and FFmpeg may write other bytes."""
    subprocess.run([sys.executable, repository / "scripts" / "make_samples.py", tmp_path], check=True)
    assert files_of(tmp_path).keys() == ALL_FILES
    assert (tmp_path / "labels.csv").read_bytes() == (samples / "labels.csv").read_bytes()


@pytest.mark.slow
def test_the_shipped_bundle_hears_every_digit(samples: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "avpipe", "predict", "bundle=digits", f"input={samples}", f"output={tmp_path}"]
    assert subprocess.run(command, check=False).returncode == 1  # two of the files hold no media
    lines = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    answers = {record["path"]: record for record in map(json.loads, lines)}
    assert answers.keys() == ALL_FILES - {"labels.csv"}
    assert {name for name, record in answers.items() if record["status"] == "error"} == NO_MEDIA
    with (samples / "labels.csv").open(encoding="utf-8", newline="") as file:
        said = {row["path"]: row["label"] for row in csv.DictReader(file)}
    heard = {name: answers[name]["tasks"]["digits"]["label"] for name in said}
    assert heard == said
    assert {name for name, record in answers.items() if record["status"] == "partial"} == TRUNCATED
