"""With which numbers networks compute."""

import json
import subprocess
import sys

import pytest
import torch

from avpipe.inference import Predictor
from avpipe.inference.computing import load_for
from avpipe.media import write_audio
from tests.cli.test_commands import avpipe, one_line
from tests.synthetic import tone
from tests.tiny import save_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_tiny_bundle(tmp_path_factory.mktemp("bundle") / "pitch")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("sounds") / "tone.wav"
    write_audio(path, tone(2.0, 500.0), 16000)
    return path


def scores_of(bundle, recording, precision="32-true"):
    loaded = load_for(str(bundle), {"name": "cpu", "precision": precision, "compile": False})
    (answer,) = Predictor([loaded])(recording).tasks.values()
    return torch.tensor(list(answer.scores.values()), dtype=torch.float64)


def test_half_as_many_bits_say_nearly_the_same_and_not_quite(bundle, recording):
    full, half = (scores_of(bundle, recording, precision) for precision in ("32-true", "bf16-mixed"))
    assert 0 < float((full - half).abs().max()) < 0.02


def test_what_was_answered_with_other_numbers_is_answered_anew(bundle, recording, tmp_path):
    found = []
    for precision in ("32-true", "bf16-mixed", "32-true"):
        given = (f"bundle={bundle}", f"input={recording}", f"output={tmp_path / 'out'}", "device=cpu")
        assert avpipe("predict", *given, f"device.precision={precision}")[0] == 0
        (line,) = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
        found.append(json.loads(line)["tasks"]["pitch"]["scores"])
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_precision_that_is_none_is_refused(bundle, recording, tmp_path, command):
    given = (f"input={recording}",) if command == "predict" else ("corpus=folders", f"corpus.root={recording.parent}")
    output = f"output={tmp_path / 'out'}"
    status, _, told = avpipe(command, f"bundle={bundle}", *given, output, "device.precision=8-bit")
    assert status == 2
    expected = "avpipe: device.precision=8-bit: is none of the precisions of an answer; choose from: 32-true, "
    assert one_line(told).startswith(expected)


def test_a_network_that_is_to_be_compiled_needs_a_compiler(bundle, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(Exception, match="no C\\+\\+ compiler"):
        load_for(str(bundle), {"name": "cpu", "precision": "32-true", "compile": True})


@pytest.mark.slow
def test_a_compiled_network_says_the_same(bundle, recording, tmp_path):
    found = []
    for compiled in ("false", "true"):
        # As a user's process: what the compiler leaves in a process would go with all later tests of this one.
        command = (sys.executable, "-m", "avpipe", "predict", f"bundle={bundle}", f"input={recording}", "device=cpu")
        output = tmp_path / compiled
        subprocess.run([*command, f"output={output}", f"device.compile={compiled}"], check=True, capture_output=True)
        (line,) = (output / "predictions.jsonl").read_text().splitlines()
        found.append(json.loads(line)["tasks"]["pitch"]["scores"])
    assert found[1] == pytest.approx(found[0], abs=1e-4)
