"""avpipe describe: tables, JSON and pictures of what layers cost, and what is refused."""

import json

import pytest
from PIL import Image

from tests.cli.test_commands import avpipe, one_line
from tests.tiny import save_tiny_bundle


def test_a_table_ends_with_totals_that_torch_counts_as_well():
    status, said, told = avpipe("describe", "task=sound_event", "encoder=lenet5", "pooling=mean")
    assert status == 0, told
    assert "61,706 parameters, 5.58 M multiply-adds (by torch's own counter the same)" in said
    assert "encoder of audio: 84x43; a value sees f 64*, t 66" in said


def test_the_head_is_as_wide_as_asked():
    _, ten, _ = avpipe("describe", "task=sound_event", "encoder=lenet5", "format=json")
    _, twelve, _ = avpipe("describe", "task=sound_event", "encoder=lenet5", "format=json", "num_outputs=12")
    heads = [json.loads(said)["layers"][-1] for said in (ten, twelve)]
    assert [head["output"] for head in heads] == [[10], [12]]
    assert heads[1]["parameters"] * 10 == heads[0]["parameters"] * 12


def test_a_bundle_as_json_on_the_terminal_and_in_a_file(tmp_path):
    bundle = save_tiny_bundle(tmp_path / "tiny")
    status, said, told = avpipe("describe", f"bundle={bundle}", "format=json", f"output={tmp_path / 'sums.json'}")
    assert status == 0, told
    sums = json.loads(said)
    assert json.loads((tmp_path / "sums.json").read_text()) == sums
    assert sums["described"] == "bundle tiny"
    assert sums["parameters"] == sum(layer["parameters"] for layer in sums["layers"])
    assert sums["flops_by_torch"] == 2 * sums["multiply_adds"]
    assert sum(layer["share"] for layer in sums["layers"]) == pytest.approx(1.0, abs=1e-4)


def test_a_picture(tmp_path):
    status, _, told = avpipe("describe", "task=digits", f"output={tmp_path / 'layers.png'}")
    assert status == 0, told
    with Image.open(tmp_path / "layers.png") as picture:
        assert picture.format == "PNG"
        # Bars of four colours upon white: no column is empty.
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 16)}
    assert {(59, 110, 168), (194, 105, 61), (91, 140, 90), (125, 91, 166)} <= colours


def test_layers_of_two_senses_are_told_apart():
    _, one, _ = avpipe("describe", "bundle=digits")
    _, both, _ = avpipe("describe", "bundle=sentiment_demo")
    assert " stem.0 " in one
    assert " stem.0 " not in both
    assert all(f" {sense}.stem.0 " in both for sense in ("audio", "video"))


@pytest.mark.slow
def test_a_classifier_as_published():
    status, said, told = avpipe("describe", "classifier=googlenet")
    assert status == 0, told
    assert "6,624,904 parameters" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bundle=nosuch"], "bundle=nosuch: no such bundle"),
        (["classifier=fasterrcnn_resnet50_fpn"], "no such classifier of pictures"),
        (["task=digits", "format=xml"], "format=xml: no such format; choose from: table, json"),
        (["task=digits", "output=layers.gif"], "output=layers.gif: no such kind of file"),
        (["task=digits", "num_outputs=0"], "num_outputs=0: must be at least 1"),
        (["task=sound_event", "encoder=torchvision", "encoder.name=vgg16", "preprocess.audio.n_mels=20"],
         "sees 32x32 at least"),
    ],
)  # fmt: skip
def test_what_is_refused_is_one_line(arguments, said):
    status, _, told = avpipe("describe", *arguments)
    assert status == 2
    assert said in one_line(told)
