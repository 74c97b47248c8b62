"""`avpipe export` as it is typed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from avpipe.graphs import load_graph
from tests.tiny import save_tiny_bundle

ROOT = Path(__file__).resolve().parents[2]


def export(*arguments, **options):
    command = [sys.executable, "-m", "avpipe", "export", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, **options)


def test_the_readme_example_labels_a_recording_without_avpipe(samples, tmp_path):
    made = export("bundle=digits", f"output={tmp_path / 'digits.onnx'}", f"input={samples}")
    assert made.returncode == 0, made.stderr
    assert re.search(r"digits\.onnx: \d\.\d MB; compared on the golden input and \d+ files of ", made.stdout)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(import numpy[^`]*onnxruntime[^`]*)```", readme)
    assert len(example.strip().splitlines()) <= 15
    watched = f"{example}\nimport sys\nassert not {{'torch', 'avpipe'}} & sys.modules.keys()\n"
    (tmp_path / "zero.wav").write_bytes((samples / "zero.wav").read_bytes())
    done = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 0.9")


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["opset=9"], 2, "opset=9: cannot be written; choose from 17 to 20"),
        (["quantize=int4"], 2, "quantize=int4: no such type; write int8, or leave it out"),
        (["streaming=true"], 2, "is no filter, which alone has steps; leave streaming=true out"),
        (["streaming=both"], 2, "streaming=both: no such step"),
        (["bundle=nothing"], 2, "bundle=nothing: no such bundle"),
        (["quantize=int8"], 2, "corpus"),
        (["bundle=denoise", "quantize=int8"], 2, "quantize=int8: a filter is not quantised; leave it out"),
    ],
)
def test_unusable_arguments_are_a_line_and_write_nothing(tmp_path, arguments, status, line):
    folder = save_tiny_bundle(tmp_path / "made")
    bundle = [] if any(each.startswith("bundle=") for each in arguments) else [f"bundle={folder}"]
    done = export(*bundle, f"output={tmp_path / 'x.onnx'}", "input=golden", *arguments)
    assert done.returncode == status, done.stderr
    assert line in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.slow
@pytest.mark.corpora
def test_int8_tells_what_it_costs_and_is_refused_where_that_is_too_much(tmp_path):
    path = tmp_path / "digits.onnx"
    done = export("bundle=digits", f"output={path}", "quantize=int8", "max_loss=null")
    assert done.returncode == 0, done.stderr
    assert re.search(r"lost of uar: [+-]\d\.\d{4}", done.stdout)
    assert load_graph(path).card.quantize == "int8"
    before = path.read_bytes()
    done = export("bundle=digits", f"output={path}", "quantize=int8", "max_loss=-1.0")
    assert done.returncode == 1
    assert "of max_loss=-1 that may be lost; not written; leave quantize out, or give a greater max_loss" in done.stderr
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
