"""avpipe export: a bundle as one ONNX graph, from waveform or frames to answers

usage: avpipe export bundle=BUNDLE output=MODEL.onnx [key=value ...]

The graph takes sound at the bundle's rate, or frames, or both, of any length and any number at a time, makes the
features itself, and says scores, logarithms of likelihoods, a vector, or clean sound. onnxruntime computes it without
avpipe and without torch; what avpipe needs besides stands in the file, so that `avpipe predict bundle=MODEL.onnx` works
where torch is not installed. What the graph says is compared with the bundle first: where it differs by more than 1e-4,
nothing is written. Needs pip install "avpipe[onnx]".

  bundle       a folder, or the name of one that ships (avpipe list)
  output       the file (where it is left out: model.onnx)
  input        what to compare on besides the golden input: a media file, a .txt list or a folder, of which 20 files are
               read; auto (where it is left out): 20 recordings of the bundle's own test part, if its corpus is there;
               golden: nothing else
  opset        version of ONNX's operators, 17 to 20
  quantize     int8: weights and sums in 8 bits; prints the score that is lost on the bundle's own test part, which its
               corpus is needed for, as is the validation part, by which the numbers' ranges are found; no filter's
  max_loss     of that score: a graph that loses more is not written (0.01; null: any loss)
  streaming    true: of a filter, one step: 16 ms of sound and its state in, 16 ms and the next state out; spectrum: the
               same from spectrum to mask, at any rate, as avpipe denoise takes it
  corpus.root, corpus.path
               where the bundle's corpus stands, if not under AVPIPE_CORPORA; its list, where it has one

exit status: 0 written, 1 it says something else than its bundle, or cannot be written, 2 unusable arguments
example: avpipe export bundle=emotion output=emotion.onnx
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avpipe.answers import SoundAnswers
from avpipe.bundle import find_bundle, load_bundle
from avpipe.cli.command import run
from avpipe.errors import ArgumentError
from avpipe.export import check_exporter, export_bundle, export_step
from avpipe.files import written_whole
from avpipe.inference import tell_notices
from avpipe.inference.exported import own_examples, quantised, told_files


def main(config: Mapping[str, Any]) -> int:
    check_exporter(config["opset"])
    if config["quantize"] not in (None, "int8"):
        raise ArgumentError(f"quantize={config['quantize']}", "no such type", "write int8, or leave it out")
    if config["streaming"] not in (None, False, True, "spectrum"):
        raise ArgumentError(
            f"streaming={config['streaming']}", "no such step", "write true or spectrum, or leave it out"
        )
    if config["quantize"] and config["streaming"]:
        raise ArgumentError("quantize=int8", "a filter's step is not quantised", "leave one of them out")
    output = Path(config["output"])
    if output.is_dir():
        raise ArgumentError(f"output={output}", "is a folder", "name a file, such as model.onnx")
    folder = find_bundle(config["bundle"])
    bundle = load_bundle(folder)
    tell_notices([bundle])
    if config["quantize"] and isinstance(bundle.objective, SoundAnswers):
        raise ArgumentError("quantize=int8", "a filter is not quantised", "leave it out")
    files, where = told_files(bundle, config["input"], config["corpus"])
    with written_whole(output) as part:
        if config["streaming"]:
            parity = export_step(bundle, part, files, config["opset"], masks=config["streaming"] == "spectrum")
        else:
            parity = export_bundle(bundle, folder, part, files, config["opset"])
        if config["quantize"]:
            examples = own_examples(bundle, config["corpus"])
            for line in quantised(bundle, part, examples, config["max_loss"]):
                print(line)
    compared = f"the golden input and {parity.num_files} files {where}" if parity.num_files else "the golden input"
    size_mb = output.stat().st_size / 1e6
    print(f"{output}: {size_mb:.1f} MB; compared on {compared}: {parity.greatest:.1g} apart at most")
    return 0


if __name__ == "__main__":
    sys.exit(run("export", main, positional=("bundle", "output")))
