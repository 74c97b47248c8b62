"""The cache: the same numbers as from the files, never stale, and never in the way."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from avpipe.augment import Augmentation
from avpipe.config import instantiate
from avpipe.corpora import Example
from avpipe.errors import ArgumentError
from avpipe.media import write_audio
from avpipe.objectives import Classification
from avpipe.training import Cache
from avpipe.training.data import AVDataModule, Loading, TrainingWindows, ValidationWindows
from avpipe.training.recordings import Reader, measure
from tests.synthetic import frame_numbers, noise, write_coloured_video, write_text_named_wav

SOUND: dict[str, Any] = {
    "_target_": "avpipe.features.Preprocessor",
    "window_sec": 0.5,
    "hop_sec": 0.25,
    "audio": {
        "_target_": "avpipe.features.LogMel",
        "sample_rate": 16000,
        "n_fft": 512,
        "hop_length": 160,
        "n_mels": 40,
    },
}
PICTURE: dict[str, Any] = {
    "_target_": "avpipe.features.Preprocessor",
    "window_sec": 0.5,
    "hop_sec": 0.25,
    "video": {"_target_": "avpipe.features.FrameStack", "size_px": 48, "crop_px": 48, "stride_sec": 0.08},
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    examples = []
    for index in range(4):
        write_audio(folder / f"{index}.wav", noise(0.3 + 0.4 * index, seed=index), 16000)
        examples.append(Example(folder / f"{index}.wav", ("even", "odd")[index % 2]))
    examples.append(Example(folder / "3.wav", "odd", start_sec=0.2, end_sec=1.1))
    return measure(examples)[0]


@pytest.fixture
def no_media(monkeypatch):
    """From here on, whoever opens a media file fails."""

    def forbid():
        def opened(*arguments, **options):
            raise AssertionError(f"opens {arguments[0]}")

        for name in ("avpipe.training.recordings", "avpipe.training.cache"):
            for function in ("read_clip", "stream_clips"):
                monkeypatch.setattr(f"{name}.{function}", opened, raising=False)

    return forbid


def readers(kind, folder, recordings, spec=SOUND, workers=0, max_gb=1.0):
    return Cache(kind, str(folder), max_gb).readers(recordings, recordings, spec, workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_clips_from_the_cache_are_those_from_the_files(tmp_path, recordings, no_media, workers):
    plain = Reader(instantiate(SOUND))
    places = [(recording, offset) for recording in recordings for offset in (0.0, 0.11, recording.duration_sec - 0.2)]
    expected = [plain.clip(recording, offset) for recording, offset in places]
    cached, _ = readers("decoded", tmp_path, recordings, workers=workers)
    no_media()
    for (recording, offset), wanted in zip(places, expected, strict=True):
        clip = cached.clip(recording, offset)
        np.testing.assert_array_equal(clip.waveform, wanted.waveform)
        assert (clip.sample_rate, clip.start_sec, clip.source) == (16000, wanted.start_sec, wanted.source)


def test_windows_from_the_cache_are_those_from_the_files(tmp_path, recordings, no_media):
    plain = Reader(instantiate(SOUND))
    expected = [list(plain.windows(recording)) for recording in recordings]
    drawn = [plain.window(recording, 0.7) for recording in recordings]
    cached, validation = readers("features", tmp_path, recordings)
    no_media()
    assert cached is validation
    for recording, windows, one in zip(recordings, expected, drawn, strict=True):
        found = list(cached.windows(recording))
        assert [seconds for _, seconds in found] == [seconds for _, seconds in windows]
        for (features, _), (wanted, _) in zip(found, windows, strict=True):
            assert torch.equal(features["audio"], wanted["audio"])
        assert torch.equal(cached.window(recording, 0.7)[0]["audio"], one[0]["audio"])


def test_frames_are_those_on_show_at_the_nearest_decoded_times(tmp_path, no_media):
    write_coloured_video(tmp_path / "film.mkv", 50)  # frame k from k / 25 s
    (recording,) = measure([Example(tmp_path / "film.mkv", "odd")])[0]
    cached, validation = readers("decoded", tmp_path / "cache", [recording], PICTURE)
    expected = [features["video"] for features, _ in Reader(instantiate(PICTURE)).windows(recording)]
    no_media()
    clip = cached.clip(recording, 0.41)  # moved to 0.40
    assert frame_numbers(clip.frames) == [10, 12, 14, 16, 18, 20]
    assert clip.frame_times_sec == pytest.approx([0.4, 0.48, 0.56, 0.64, 0.72, 0.8])
    assert frame_numbers(cached.clip(recording, 1.5).frames) == [38, 40, 42, 44, 46, 48]
    for (features, _), wanted in zip(validation.windows(recording), expected, strict=True):
        assert torch.equal(features["video"], wanted)


def test_another_setting_or_another_content_is_another_entry(tmp_path, recordings, monkeypatch):
    def keys(kind, spec):
        reader, _ = readers(kind, tmp_path / "cache", recordings, spec)
        return set(reader.keys.values())

    narrow, slow = copy.deepcopy(SOUND), copy.deepcopy(SOUND)
    narrow["audio"]["n_mels"] = 32
    slow["audio"]["sample_rate"] = 8000
    assert not keys("features", SOUND) & keys("features", narrow)
    assert keys("decoded", SOUND) == keys("decoded", narrow)
    assert not keys("decoded", SOUND) & keys("decoded", slow)
    before = keys("features", SOUND)
    assert keys("features", SOUND) == before
    monkeypatch.setattr("avpipe.training.cache._code_digest", lambda: "another version of the code")
    assert not keys("features", SOUND) & before


def test_a_changed_file_is_read_anew(tmp_path):
    path = tmp_path / "x.wav"
    write_audio(path, noise(0.5, seed=1), 16000)
    (recording,) = measure([Example(path, "odd")])[0]
    first = readers("decoded", tmp_path / "cache", [recording])[0].clip(recording, 0.0)
    write_audio(path, noise(0.5, seed=2), 16000)
    second = readers("decoded", tmp_path / "cache", [recording])[0].clip(recording, 0.0)
    assert not np.array_equal(first.waveform, second.waveform)


def test_a_later_run_decodes_nothing_and_a_removed_entry_is_decoded_again(tmp_path, recordings, no_media):
    readers("decoded", tmp_path, recordings)
    cached, _ = readers("decoded", tmp_path, recordings)
    removed = cached.keys[recordings[0]]
    cached.store.remove(removed)
    np.testing.assert_array_equal(
        cached.clip(recordings[0], 0.0).waveform, Reader(cached.preprocessor).clip(recordings[0], 0.0).waveform
    )
    no_media()
    cached.clip(recordings[1], 0.0)
    with pytest.raises(AssertionError, match="opens"):
        cached.clip(recordings[0], 0.0)


def test_the_bound_is_kept_and_told_and_the_rest_is_decoded(tmp_path, recordings, capsys):
    cached, _ = readers("decoded", tmp_path, recordings, max_gb=1e-4)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.npy")) < 1.2e5
    assert "cache.max_gb hold" in capsys.readouterr().err
    assert [cached.clip(recording, 0.0).waveform.shape[1] for recording in recordings] == [4800, 8000, 8000, 8000, 8000]


def test_a_folder_that_cannot_be_written_is_one_line_and_no_obstacle(tmp_path, recordings, capsys):
    (tmp_path / "file").write_text("in the way")
    cached, validation = readers("decoded", tmp_path / "file" / "cache", recordings)
    (line,) = capsys.readouterr().err.splitlines()
    assert "cache" in line
    assert "Not a directory" in line
    assert cached.clip(recordings[0], 0.0).waveform.shape == (1, 4800)
    assert len(list(validation.windows(recordings[3]))) == 5


def test_a_full_disk_is_one_line_and_no_obstacle(tmp_path, recordings, capsys, monkeypatch):
    def full(self, name, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("avpipe.training.store.EntryWriter.append", full)
    cached, _ = readers("decoded", tmp_path, recordings)
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line
    assert cached.clip(recordings[0], 0.0).waveform.shape == (1, 4800)
    assert list(tmp_path.rglob("*.npy")) == []


def test_a_file_that_cannot_be_read_is_no_obstacle(tmp_path, recordings, capsys):
    broken = write_text_named_wav(tmp_path / "text.wav")
    readable = recordings[0]
    recording = type(readable)(Example(broken, "odd"), 1.0)
    readers("decoded", tmp_path / "cache", [recording, readable])
    assert capsys.readouterr().err == ""


def test_no_such_cache():
    with pytest.raises(ArgumentError, match="choose from: none, decoded, features"):
        Cache("some", None, 1.0)


@pytest.mark.parametrize("kind", ["decoded", "features"])
def test_the_second_epoch_opens_no_media_file(tmp_path, recordings, no_media, kind):
    objective = Classification(["even", "odd"], [6, 5])
    train_reader, val_reader = readers(kind, tmp_path, recordings)
    train = TrainingWindows(recordings, train_reader, Augmentation(), objective, 0, from_features=kind == "features")
    data = AVDataModule(train, ValidationWindows(recordings, val_reader, objective), Loading(2, 0, 0))
    no_media()
    for loader in (data.train_dataloader(), data.val_dataloader()):
        assert sum(len(batch.targets) for batch in loader) > 3
