"""What is told of transcripts and windows before a network learns from them."""

import json
from pathlib import Path

import pytest

from avpipe.config import instantiate
from avpipe.corpora import Example
from avpipe.errors import ArgumentError
from avpipe.media import write_audio
from avpipe.objectives import PieceTranscription, Transcription, WordTranscription
from avpipe.training.recordings import Recording
from avpipe.training.transcripts import doubts
from tests.cli.test_commands import avpipe, one_line
from tests.synthetic import noise
from tests.tiny import TRANSCRIBER

LETTERS = Transcription([" ", "a", "b"])
STEP_SEC = 0.02
CONTEXT_SEC = 6 * STEP_SEC  # kernels of 3 and 5, two of each


def lines(transcripts, seconds=1.0, others=(), objective=LETTERS, **windows):
    train = [Recording(Example(Path(f"{place}.wav"), text), seconds) for place, text in enumerate(transcripts)]
    preprocessor = instantiate({**TRANSCRIBER["preprocessor"], **windows})
    network = instantiate(TRANSCRIBER["network"])
    return doubts(objective, network, preprocessor, train, [Example(Path("o.wav"), text) for text in others])


def test_nothing_is_told_of_what_is_well():
    assert lines(["ab ba", "a"], others=["b a", ""]) == []


def test_empty_transcripts_are_counted():
    (line,) = lines(["ab", "...", "", "a"])
    assert line == (
        "2 of 4 training transcripts are empty, the first that of 1.wav: learned as recordings in which nobody speaks"
    )


@pytest.mark.parametrize(("seconds", "fit"), [(0.06, 4), (0.08, 5), (0.089, 5), (0.1, 6)])
def test_transcripts_without_room_are_counted(seconds, fit):
    """As many steps as the network makes of so long a sound."""
    preprocessor, network = (instantiate(TRANSCRIBER[name]) for name in ("preprocessor", "network"))
    frames = preprocessor.audio.num_steps(seconds)
    assert -(-frames // network.time_stride) == fit
    assert lines(["ababab"[:fit], "ab"], seconds) == []
    (line,) = lines(["ab", "bababab"[: fit + 1]], seconds)
    assert line.startswith(
        "1 of 2 training transcripts are longer than their recordings have steps, the first that of 1"
    )
    assert lines(["aaa", "a"], 0.08) == []
    assert len(lines(["aaa", "a"], 0.06)) == 1


def test_transcripts_none_of_which_has_room_are_refused():
    with pytest.raises(ArgumentError, match=r"0.02 s a step: 2 of 2 training transcripts are longer"):
        lines(["abababab", "babababa"], 0.05)


@pytest.mark.parametrize(
    ("objective", "foreign"),
    [
        (LETTERS, "(q, u)"),
        (WordTranscription(["a", "ab"]), "(qu)"),
        (PieceTranscription(["\u2581", "\u2581a", "a", "b"], [-1.0] * 4), "(q, u)"),
    ],
)
def test_what_training_never_shows_is_named(objective, foreign):
    (line,) = lines(["ab", "a"], others=["ab qu", "a", "ab"], objective=objective)
    assert line.startswith("1 of 3 transcripts to validate and test on hold what training never shows")
    assert foreign in line
    (line,) = lines(["ab", "a"], others=["cdefghijklmnop"])
    assert "(c, d, e, f, g, h, i, j, k, l and 4 more)" in line


def test_windows_that_overlap_by_less_than_the_network_sees_are_told():
    assert lines(["a"], window_sec=1.0, hop_sec=1.0 - 2 * CONTEXT_SEC) == []
    (line,) = lines(["a"], window_sec=1.0, hop_sec=0.9)
    assert line.startswith("windows overlap by 0.1 s, and the network sees 0.12 s to either side")
    assert line.endswith("give preprocess.hop_sec=0.7")
    (line,) = lines(["a"], window_sec=0.2, hop_sec=0.2)
    assert line.endswith("give longer windows")


LEARN = (
    "task=speech_recognition", "corpus=manifest", "trainer.max_epochs=1", "data.batch_size=4", "device=cpu",
    "data.workers=0", "augment=none", "preprocess.window_sec=2", "preprocess.hop_sec=1.9", "encoder.kernels=[3]",
    "encoder.channels=8", "encoder.front.channels=[4,8]",
)  # fmt: skip


def write_manifest(folder, transcripts):
    rows = ["path,text,split"]
    for place, (text, side) in enumerate(transcripts):
        write_audio(folder / f"{place}.wav", noise(0.5 + 0.01 * place, seed=place), 8000)
        rows.append(f"{place}.wav,{text},{side}")
    path = folder / "list.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_training_tells_them_once_and_goes_on(tmp_path):
    texts = [("ab", "train")] * 5 + [("...", "train"), ("ab" * 40, "train"), ("quay", "val"), ("ab", "test")]
    corpus = write_manifest(tmp_path, texts)
    arguments = [*LEARN, "split.by=official", f"corpus.path={corpus}", f"run_dir={tmp_path / 'run'}"]
    status, _, told = avpipe("train", *arguments)
    assert status == 0, told
    kept = (tmp_path / "run" / "warnings.txt").read_text(encoding="utf-8").splitlines()
    for part in ("1 of 7 training transcripts are empty", "1 of 7 training transcripts are longer", "(q, u, y)"):
        assert sum(part in line for line in told.splitlines()) == sum(part in line for line in kept) == 1
        assert part in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_letters_of_recordings_that_are_left_out_are_not_learned(tmp_path):
    corpus = write_manifest(tmp_path, [("ab", "train")] * 5 + [("quay", "train"), ("ab", "val"), ("quay", "test")])
    write_audio(tmp_path / "5.wav", noise(2.5, seed=5), 8000)
    arguments = [*LEARN, "split.by=official", f"corpus.path={corpus}", f"run_dir={tmp_path / 'run'}"]
    status, _, told = avpipe("train", *arguments)
    assert status == 0, told
    assert "1 of 6 recordings are longer than preprocess.window_sec=2" in told
    assert "1 of 2 transcripts to validate and test on hold what training never shows (q, u, y)" in told


def test_transcripts_that_say_nothing_are_refused(tmp_path):
    corpus = write_manifest(tmp_path, [("...", "train")] * 5 + [("...", "val"), ("ab", "test")])
    arguments = [*LEARN, "split.by=official", f"corpus.path={corpus}", f"run_dir={tmp_path / 'run'}"]
    status, _, told = avpipe("train", *arguments)
    assert status == 2
    assert "transcripts: all that there are to learn from are empty" in one_line(told)


def test_pieces_are_learned_from_the_training_transcripts(tmp_path):
    pytest.importorskip("sentencepiece")
    corpus = write_manifest(
        tmp_path, [("ab abba", "train"), ("abba ba", "train")] * 3 + [("quay", "val"), ("ab", "test")]
    )
    run, pieces = tmp_path / "run", ("objective=transcription_pieces", "split.by=official")
    common = [*LEARN, *pieces, f"corpus.path={corpus}", f"run_dir={run}"]
    status, _, told = avpipe("train", *common, "objective.num_pieces=2")
    assert status == 2
    assert "objective.num_pieces=2: is too few for transcripts of 2 letters" in one_line(told)
    status, _, told = avpipe("train", *common, "objective.num_pieces=6")
    assert status == 0, told
    assert "(q, u, y)" in told
    spec = json.loads((run / "bundle" / "bundle.json").read_text(encoding="utf-8"))["specs"]["objective"]
    assert spec.keys() == {"_target_", "units", "scores"}
    assert {"a", "b", "\u2581"} < set(spec["units"])
    status, _, told = avpipe("predict", f"bundle={run}/bundle", f"input={tmp_path}/0.wav", f"output={tmp_path}/out")
    assert status == 0, told
