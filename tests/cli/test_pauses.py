"""Pauses as a user asks for them: what is said of speech, and by which rule."""

import json
import sys

import numpy as np
import pytest

from avpipe.media import write_audio
from tests.cli.test_commands import avpipe, one_line, predict
from tests.tiny import save_speaker_bundle, save_tiny_bundle, voice


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A tone, a pause, a tone."""
    folder = tmp_path_factory.mktemp("media")
    pause = 0.0003 * np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
    write_audio(folder / "x.wav", np.concatenate([pause, voice("ann", 2.0), pause, voice("bob", 1.5)], axis=1), 16000)
    return folder


def predicted(bundle, media, output, *arguments):
    """What is said, the record, and the summary."""
    said, _ = predict(bundle, media, output, *arguments)
    (record,) = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return said, json.loads(record)["tasks"], json.loads((output / "summary.json").read_text())


@pytest.mark.parametrize("name", ["srt", "vtt", "txt"])
def test_subtitles_come_with_stretches_of_speech(name, transcriber, media, tmp_path):
    _, tasks, summary = predicted(transcriber, media, tmp_path / "out", f"format=[jsonl,{name}]")
    assert tasks["speech"]["speech"] == [[pytest.approx(1.0), pytest.approx(3.0)], [pytest.approx(4.0), 5.5]]
    assert (summary["speech"], summary["vad"]) == (True, "energy")
    assert (tmp_path / "out" / f"x.wav.{name}").stat().st_size > 0


def test_without_subtitles_nobody_asks(transcriber, media, tmp_path):
    _, tasks, summary = predicted(transcriber, media, tmp_path / "out")
    assert "speech" not in tasks["speech"]
    assert "speech" not in summary
    assert summary["vad"] == "energy"  # by which words have their times
    tones = save_tiny_bundle(tmp_path / "tones")
    both = f"[{tones},{transcriber}]"
    _, tasks, summary = predicted(both, media, tmp_path / "both_out", "format=[jsonl,srt]")
    assert "speech" not in tasks["tones"]
    assert summary["speech"]


def test_answers_hold_for_what_was_asked_of_pauses(transcriber, media, tmp_path):
    pytest.importorskip("silero_vad")
    output, subtitles = tmp_path / "out", "format=[jsonl,srt]"
    _, plain, _ = predicted(transcriber, media, output)
    said, by_energy, _ = predicted(transcriber, media, output, subtitles)
    assert "answered before" not in said
    assert "1 answered before" in predicted(transcriber, media, output, subtitles, "vad=energy")[0]
    said, by_silero, summary = predicted(transcriber, media, output, subtitles, "vad=silero")
    assert "answered before" not in said
    assert summary["vad"] == "silero"
    assert "speech" not in by_silero["speech"]  # no tone is a voice
    assert len(by_energy["speech"].pop("speech")) == 2
    assert plain == by_energy
    assert by_silero["speech"]["text"] == plain["speech"]["text"]
    assert "1 answered before" in predicted(transcriber, media, output, subtitles, "vad=silero")[0]


def test_turns_are_found_by_the_rule_that_was_chosen(media, tmp_path):
    pytest.importorskip("silero_vad")
    voices = save_speaker_bundle(tmp_path / "speaker")
    _, by_energy, summary = predicted(voices, media, tmp_path / "out", "format=[jsonl,rttm]")
    assert len(by_energy["speaker"]["turns"]) == 2
    assert summary["vad"] == "energy"
    said, by_silero, _ = predicted(voices, media, tmp_path / "out", "format=[jsonl,rttm]", "vad=silero")
    assert "answered before" not in said
    assert "turns" not in by_silero["speaker"]
    assert (tmp_path / "out" / "x.wav.rttm").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("value", ["loud", "", "[energy]"])
def test_a_rule_that_is_none_is_one_line(value, transcriber, media, tmp_path):
    status, _, told = avpipe(
        "predict", f"bundle={transcriber}", f"input={media}", f"output={tmp_path / 'out'}", f"vad={value}"
    )
    assert status == 2
    assert one_line(told).startswith("avpipe: vad=")
    assert "energy, silero" in told
    assert not (tmp_path / "out").exists()


def test_silero_that_is_not_installed_is_one_line(transcriber, media, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    common = ("predict", f"bundle={transcriber}", f"input={media}", f"output={tmp_path / 'out'}", "format=srt")
    status, _, told = avpipe(*common, "vad=silero")
    assert status == 2
    assert one_line(told) == 'avpipe: vad=silero: silero-vad is not installed; pip install "avpipe[vad]"'
    assert not (tmp_path / "out").exists()
    assert avpipe(*common, "vad=energy", "workers=0", "device=cpu")[0] == 0
