"""``avpipe denoise`` as a user types it: what it writes, what it says, how it ends."""

import json

import numpy as np
import pytest

from avpipe.inference import denoise
from avpipe.media import read_clip, write_audio, write_video
from tests.cli.test_commands import avpipe, one_line
from tests.gate import Gate, words
from tests.synthetic import noise, write_text_named_wav
from tests.tiny import save_denoiser_bundle, save_tiny_bundle

KEYS = {
    "path", "status", "reason", "output", "action", "duration_sec", "snr_before_db", "snr_after_db",
    "level_change_db", "removed_db", "speech_before_db", "speech_after_db", "noise_before_db", "noise_after_db",
    "warnings", "streams", "coverage",
}  # fmt: skip


@pytest.fixture
def gate(monkeypatch):
    """The gate instead of a network."""

    def load(bundle, settings, device, runtime):
        return (None, "") if settings.least_gain == 1.0 else (Gate(), "gate")

    monkeypatch.setattr(denoise, "load_denoiser", load)


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    for index, name in enumerate(("a/x.wav", "b/x.flac", "odd [name] 😀#%.wav")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_audio(folder / name, words(1.5, seed=index), 16000, subtype="PCM_16")
    (folder / "notes.md").write_text("not media")
    return folder


def rows_of(folder):
    return [json.loads(line) for line in (folder / "denoise.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_folder_comes_back_clean(gate, recordings, elsewhere):
    status, said, told = avpipe("denoise", recordings, "clean", "workers=0")
    assert (status, told) == (0, "")
    rows = rows_of(elsewhere / "clean")
    assert [row["path"] for row in rows] == ["a/x.wav", "b/x.flac", "odd [name] 😀#%.wav"]
    assert all(set(row) == KEYS and row["action"] == "cleaned" for row in rows)
    written = {path.relative_to(elsewhere / "clean").as_posix() for path in (elsewhere / "clean").rglob("*")}
    assert written == {
        ".avpipe-denoise.sqlite", ".avpipe-denoise.sqlite.claims", "a", "a/x.wav", "b", "b/x.flac", "denoise.jsonl",
        "odd [name] 😀#%.wav", "report.html",
    }  # fmt: skip
    assert "3 files: 3 cleaned" in said
    before = (elsewhere / "clean" / "denoise.jsonl").read_bytes()
    status, said, _ = avpipe("denoise", recordings, "clean", "workers=2")
    assert "3 files: 3 cleaned (3 done before)" in said
    assert (elsewhere / "clean" / "denoise.jsonl").read_bytes() == before


def test_a_file_is_cleaned_and_told_in_a_few_lines(gate, recordings, elsewhere):
    status, said, told = avpipe("denoise", recordings / "a/x.wav", "x.wav")
    assert (status, told) == (0, "")
    assert "x.wav: cleaned" in said
    assert "stream 0, pcm_16 16000 Hz 1 ch, 1.50 s: SNR 2" in said
    assert [path.name for path in elsewhere.iterdir()] == ["x.wav"]
    assert read_clip(elsewhere / "x.wav").waveform.shape == (1, 24000)
    status, _, told = avpipe("denoise", recordings / "a/x.wav", "x.wav")
    assert (status, "overwrite=true" in one_line(told)) == (1, True)
    status, _, _ = avpipe("denoise", recordings / "a/x.wav", "x.wav", "overwrite=true", "report=page, of it.html")
    assert status == 0
    assert "x.wav" in (elsewhere / "page, of it.html").read_text(encoding="utf-8")


def test_strength_0_copies_bit_for_bit(gate, recordings, elsewhere):
    status, said, _ = avpipe("denoise", f"input={recordings}", "output=copy", "strength=0", "report=false")
    assert (status, "3 copied" in said) == (0, True)
    for name in ("a/x.wav", "b/x.flac", "odd [name] 😀#%.wav"):
        assert (elsewhere / "copy" / name).read_bytes() == (recordings / name).read_bytes()
    assert not (elsewhere / "copy" / "report.html").exists()


CLICK_EVERY = 20_011
"""Samples: no multiple of any codec's frame, nor of the filter's hop."""


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.mp3", "x.m4a", "x.ogg", "x.opus", "x.mka", "x.mp4", "x.mkv"])
def test_a_click_comes_back_at_the_same_sample(elsewhere, name):
    bundle, rate = save_denoiser_bundle(elsewhere / "filter"), 48_000
    clicks = 0.01 * noise(4.0, rate_hz=rate)
    clicks[:, CLICK_EVERY::CLICK_EVERY] = 0.9
    if name in ("x.mp4", "x.mkv"):
        write_video(elsewhere / name, np.zeros((100, 32, 32, 3), np.uint8), waveform=clicks, sample_rate=rate)
    else:
        write_audio(elsewhere / name, clicks, rate)
    settings = f"bundle={bundle}", "strength=0.5", "clean_above_db=null"
    status, said, told = avpipe("denoise", name, f"clean/{name}", *settings)
    assert (status, told, "cleaned" in said) == (0, "", True)
    before, after = (read_clip(path).waveform[0] for path in (elsewhere / name, elsewhere / "clean" / name))
    is_aac = name in ("x.m4a", "x.mp4")
    assert 0 <= len(after) - len(before) < (1024 if is_aac else 1)
    for place in range(CLICK_EVERY, len(before), CLICK_EVERY):
        one, other = before[place - 500 : place + 500], after[place - 500 : place + 500]
        assert np.correlate(other, one, "full").argmax() == len(one) - 1
        assert is_aac or np.abs(one).argmax() == np.abs(other).argmax() == 500  # AAC itself blurs clicks


def test_strength_0_needs_no_bundle(recordings, elsewhere):
    assert avpipe("denoise", recordings, "copy", "strength=0.0", "bundle=nonsense")[0] == 0


def test_a_bad_file_is_a_row_and_exit_status_1(gate, recordings, elsewhere):
    write_text_named_wav(recordings / "text.wav")
    status, said, told = avpipe("denoise", recordings, "clean", "workers=2")
    assert (status, told) == (1, "")
    assert [row["status"] for row in rows_of(elsewhere / "clean")] == ["ok", "ok", "ok", "error"]
    assert "text.wav" in said
    assert "1 failed" in said


def test_a_list_of_files_is_taken(gate, recordings, elsewhere):
    (recordings / "list.txt").write_text("a/x.wav\nb/x.flac\ngone.wav\n")
    status, _, _ = avpipe("denoise", recordings / "list.txt", "clean", "workers=0")
    assert status == 1
    assert [row["output"] for row in rows_of(elsewhere / "clean")] == ["a/x.wav", "b/x.flac", ""]


def test_another_form_is_another_answer(gate, recordings, elsewhere):
    avpipe("denoise", recordings, "clean", "workers=0", "report=false")
    first = (elsewhere / "clean/a/x.wav").read_bytes()
    _, said, _ = avpipe("denoise", recordings, "clean", "workers=0", "max_attenuation_db=6", "report=false")
    assert "done before" not in said
    assert (elsewhere / "clean/a/x.wav").is_file()
    assert first


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["{recordings}", "{recordings}"], ["output=", "is the input"]),
        (["{recordings}", "{recordings}/clean"], ["output=", "lies in the input"]),
        (["{recordings}/a/x.wav", "{recordings}/a/x.wav"], ["output=", "is a file of the input"]),
        (["{recordings}/a/x.wav", "{recordings}/a"], ["output=", "is a file of the input"]),
        (["{recordings}", "{recordings}/a/x.wav"], ["is no folder", "name one"]),
        (["/no/such/file", "out"], ["/no/such/file"]),
        (["{recordings}"], ["output"]),
        (["{recordings}", "out", "strength=2"], ["strength=2", "between 0 and 1"]),
        (["{recordings}", "out", "strength=much"], ["strength=much", "a number"]),
        (["{recordings}", "out", "max_attenuation_db=-3"], ["max_attenuation_db=-3"]),
        (["{recordings}", "out", "clean_above_db=high"], ["clean_above_db=high"]),
        (["{recordings}", "out", "keep_level=maybe"], ["keep_level=maybe", "true or false"]),
        (["{recordings}", "out", "workers=-1"], ["workers=-1"]),
        (["{recordings}", "out", "audio_codec=mp4"], ["audio_codec=mp4", "opus|vorbis"]),
        (["", "out"], ["names nothing"]),
        (["{recordings}", "out", "bundle=nonsense"], ["bundle=nonsense", "digits"]),
        (["{recordings}", "out", "bundle={bundle}"], ["filter"]),
        (["{recordings}", "out", "device=tpu"], ["device=tpu", "cuda"]),
        (["{recordings}", "out", "volume=1"], ["volume", "strength"]),
        (["{recordings}/a/x.wav", "out.wav", "report=true"], ["report=true", "report=page.html"]),
    ],
)
def test_an_unusable_argument_is_one_line_and_exit_status_2(recordings, elsewhere, tmp_path, arguments, parts):
    places = {"recordings": recordings}
    if "bundle={bundle}" in arguments:
        places["bundle"] = save_tiny_bundle(tmp_path / "tones")
    status, _, told = avpipe("denoise", *(argument.format(**places) for argument in arguments))
    assert status == 2, told
    line = one_line(told)
    for part in parts:
        assert part in line
    assert not list(elsewhere.iterdir())


def test_help_names_every_key(repository):
    from avpipe.config import compose

    _, said, _ = avpipe("denoise", "--help")
    for key in map(str, compose("denoise", ["input=x", "output=y"])):
        assert f"\n  {key} " in said
    assert "denoise" in avpipe("--help")[1]
