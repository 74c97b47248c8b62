"""How others label a folder of recordings, each as its documentation shows it.

    python -m scripts.peer_loops size BUNDLE SIZES.json
    python -m scripts.peer_loops plain|transformers|speechbrain SIZES.json FOLDER OUTPUT.jsonl

``plain`` is a loop as one would write it around the bundle's own network: a file is read (soundfile, soxr), cut into
windows, given to the network, and its answer written, before the next one is read. ``transformers`` is the
``audio-classification`` pipeline around an Audio Spectrogram Transformer, ``speechbrain`` is ``classify_file`` of an
``EncoderClassifier`` around an ECAPA-TDNN. Both networks have random weights and are as large as the bundle's: ``size``
finds the one of a grid that is nearest in multiply-adds of a whole window, of those within a tenth of its parameters.
The transformer pads to a whole window, as the bundle does; ECAPA computes what there is of a file.
"""

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from scripts.measure import multiply_adds

Size = tuple[int, int]
"""Parameters, and multiply-adds of a window."""
Answered = Iterator[tuple[str, str, dict[str, float]]]
"""Of each file its name, label and scores."""

BATCH = 8
"""Files a forward pass of the transformer."""


def find_sizes(name: str) -> dict[str, Any]:
    """What the peers are to know of a bundle, and networks of theirs that are as large as its own."""
    import torch

    from avpipe.bundle import find_bundle, full_window, load_bundle

    bundle = load_bundle(find_bundle(name), torch.device("cpu"))
    assert bundle.preprocessor.audio is not None
    features, lengths = full_window(bundle.preprocessor)
    counted = multiply_adds(lambda: bundle.network(features, lengths))
    wanted = sum(parameter.numel() for parameter in bundle.network.parameters()), counted
    frames = round(100 * bundle.preprocessor.window_sec)
    sizes = {"bundle": name, "labels": list(getattr(bundle.objective, "labels", ())), "frames": frames}
    sizes |= {"rate": bundle.preprocessor.audio.sample_rate, "network": wanted}
    sizes["transformers"] = nearest(wanted, _sized_transformers(frames))
    try:
        sizes["speechbrain"] = nearest(wanted, _sized_ecapas(frames))
    except (ImportError, OSError) as error:
        print(f"speechbrain: not installed ({str(error).splitlines()[0]})", file=sys.stderr)
    return sizes


def nearest(wanted: Size, candidates: Iterator[tuple[Any, Size]]) -> tuple[Any, Size]:
    """The candidate that is nearest in multiply-adds, of those within a tenth of the parameters, or else of all."""
    sized = list(candidates)
    close = [each for each in sized if abs(each[1][0] / wanted[0] - 1) <= 0.1] or sized
    return min(close, key=lambda each: abs(each[1][1] / wanted[1] - 1))


def plain(sizes: dict[str, Any], paths: Sequence[Path]) -> Answered:
    """File by file, through the bundle's own network."""
    import soundfile
    import soxr
    import torch

    from avpipe.bundle import find_bundle, load_bundle
    from avpipe.features import collate

    bundle = load_bundle(find_bundle(sizes["bundle"]), torch.device("cpu"))
    audio, window_sec, hop_sec = bundle.preprocessor.audio, bundle.preprocessor.window_sec, bundle.preprocessor.hop_sec
    assert audio is not None
    length, hop = round(window_sec * audio.sample_rate), round(hop_sec * audio.sample_rate)
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        waveform = torch.from_numpy(soxr.resample(samples.mean(1), rate, audio.sample_rate))
        starts = range(0, max(1, len(waveform) - length + hop), hop)
        windows = [waveform[None, start : start + length] for start in starts]
        features = [{"audio": audio(window)} for window in windows]
        batch, lengths = collate(features, {"audio": max(each["audio"].shape[-1] for each in features)})
        answers = bundle.objective.decode(bundle.network(batch, lengths))
        answer = bundle.objective.combine(answers, [window.shape[-1] for window in windows])
        yield path.name, str(answer.label), dict(answer.scores)


def transformers(sizes: dict[str, Any], paths: Sequence[Path]) -> Answered:
    """The pipeline, which reads files with FFmpeg, in batches."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    library = importlib.import_module("transformers")
    (hidden, layers, strides), _ = sizes["transformers"]
    config = library.ASTConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        intermediate_size=4 * hidden,
        frequency_stride=strides[0],
        time_stride=strides[1],
        max_length=sizes["frames"],
        num_mel_bins=64,
        id2label=dict(enumerate(sizes["labels"])),
        label2id={label: place for place, label in enumerate(sizes["labels"])},
    )
    model = library.ASTForAudioClassification(config).eval()
    extractor = library.ASTFeatureExtractor(sampling_rate=sizes["rate"], num_mel_bins=64, max_length=sizes["frames"])
    classify = library.pipeline("audio-classification", model=model, feature_extractor=extractor, device="cpu")
    # Asked for in batches, it has a process of its own read files beside the network.
    answers = classify([str(path) for path in paths], batch_size=BATCH, num_workers=1, top_k=None)
    for path, answer in zip(paths, answers, strict=True):
        yield path.name, answer[0]["label"], {each["label"]: each["score"] for each in answer}


def _sized_transformers(frames: int) -> Iterator[tuple[Any, Size]]:
    """A grid of transformers, counted by hand, as making each would take long."""
    grid = product((64, 96, 128, 160, 192), range(2, 9), ((8, 8), (8, 9), (8, 10), (10, 10), (12, 12), (16, 16)))
    for hidden, layers, strides in grid:
        tokens = ((64 - 16) // strides[0] + 1) * ((frames - 16) // strides[1] + 1)
        parameters = layers * (12 * hidden**2 + 13 * hidden) + 257 * hidden + (tokens + 4) * hidden
        sums = layers * tokens * (12 * hidden**2 + 2 * tokens * hidden) + 256 * tokens * hidden
        yield (hidden, layers, strides), (parameters, sums)


def speechbrain(sizes: dict[str, Any], paths: Sequence[Path]) -> Answered:
    """``EncoderClassifier.classify_file``, file by file."""
    import torch

    classifiers = importlib.import_module("speechbrain.inference.classifiers")
    labels = sizes["labels"]
    with tempfile.TemporaryDirectory() as folder:
        settings = {**_ecapa(*sizes["speechbrain"][0]), "n_labels": len(labels), "rate": sizes["rate"]}
        Path(folder, "hyperparams.yaml").write_text(_HYPERPARAMETERS.format(**settings), encoding="utf-8")
        classifier = classifiers.EncoderClassifier.from_hparams(source=folder, savedir=folder, freeze_params=True)
        classifier.hparams.label_encoder.update_from_iterable(labels)
        with torch.inference_mode():
            for path in paths:
                scores, _, _, (label,) = classifier.classify_file(str(path.resolve()))
                yield path.name, label, dict(zip(labels, scores[0].tolist(), strict=True))


def _sized_ecapas(frames: int) -> Iterator[tuple[Any, Size]]:
    import torch

    encoders = importlib.import_module("speechbrain.lobes.models.ECAPA_TDNN")
    window = torch.zeros(1, frames, 64)
    for channels, wide in product(range(96, 225, 32), (192, 384, 576)):
        network = encoders.ECAPA_TDNN(64, lin_neurons=96, **_ecapa(channels, wide)).eval()
        parameters = sum(parameter.numel() for parameter in network.parameters())
        yield (channels, wide), (parameters, multiply_adds(partial(network, window)))


def _ecapa(channels: int, wide: int) -> dict[str, Any]:
    return {"channels": [channels] * 4 + [wide], "attention_channels": 64, "res2net_scale": 8, "se_channels": 64}


_HYPERPARAMETERS = """
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: 64
    sample_rate: {rate}
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: 64
    channels: {channels}
    attention_channels: {attention_channels}
    res2net_scale: {res2net_scale}
    se_channels: {se_channels}
    lin_neurons: 96
classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 96
    out_neurons: {n_labels}
label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    classifier: !ref <classifier>
"""

LOOPS: dict[str, Callable[[dict[str, Any], Sequence[Path]], Answered]] = {
    "plain": plain,
    "transformers": transformers,
    "speechbrain": speechbrain,
}


def main(loop: str, *arguments: str) -> None:
    if loop == "size":
        name, output = arguments
        Path(output).write_text(json.dumps(find_sizes(name), indent=1) + "\n", encoding="utf-8")
        return
    import torch

    sizes, folder, output = arguments
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with Path(output).open("w", encoding="utf-8") as lines, torch.inference_mode():
        paths = sorted(Path(folder).iterdir())
        for name, label, scores in LOOPS[loop](json.loads(Path(sizes).read_text(encoding="utf-8")), paths):
            lines.write(json.dumps({"path": name, "label": label, "scores": scores}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
