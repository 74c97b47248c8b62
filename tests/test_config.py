"""Overrides: any path as typed, and one line for what cannot be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.cli.command import parse
from avpipe.config import compose, conf_dir, instantiate, plain, quote_path, target_of
from avpipe.errors import ArgumentError, RunStopped
from avpipe.training.run import config_digest
from tests.corpora.trees import write_recording

NAMES = [
    "a b.wav", "x=y,z.wav", "[1] (2) {3}.mp3", "it's \"quoted\".wav", "1e3", "null", "null ", "true", "a\\b",
    "ünï 😀.flac", "ends\\", "${oc.env:HOME}", "\\${x}", "a: b", "#c", "%20", "~", "*?", "two\nlines", "\\'", "x\\'y",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_arrives_as_it_was_typed(name):
    config = plain(compose("predict", [quote_path(f"input={name}"), quote_path(f"output={name}")]))
    assert (config["input"], config["output"]) == (name, name)


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_every_text_arrives_as_it_was_typed(name):
    if name == "???":
        return
    assert plain(compose("predict", [quote_path(f"input={name}"), "output=x"]))["input"] == name


@pytest.mark.parametrize("argument", ["optim.lr=1e-3", "task=emotion", "format=[jsonl,csv]", "corpus.root=null"])
def test_other_values_keep_their_meaning(argument):
    assert quote_path(argument) == argument


def test_a_list_of_bundles_stays_a_list_unless_a_folder_has_that_name(elsewhere):
    assert plain(compose("predict", [quote_path("bundle=[a,b]"), "input=x", "output=y"]))["bundle"] == ["a", "b"]
    (elsewhere / "[a,b]").mkdir()
    assert plain(compose("predict", [quote_path("bundle=[a,b]"), "input=x", "output=y"]))["bundle"] == "[a,b]"


def test_nested_path_keys_are_quoted_too():
    assert quote_path("corpus.root=a b") == "corpus.root='a b'"
    assert quote_path("encoder.weights=a,b") == "encoder.weights='a,b'"


def test_plain_arguments_stand_for_keys_in_order(elsewhere):
    (elsewhere / "a=b.wav").touch()
    overrides, _ = parse(["a=b.wav", "bundle=digits", "out"], ("input", "output"))
    assert overrides == ["input='a=b.wav'", "bundle='digits'", "output='out'"]
    assert parse(["../o[u] t=6"], ("input",))[0] == ["input='../o[u] t=6'"]
    assert parse(["~network.encoders.video", "in"], ("input",))[0] == ["~network.encoders.video", "input=in"]


@pytest.mark.parametrize(
    ("name", "overrides", "parts"),
    [
        ("train", ["task=nonsense"], ["task=nonsense", "emotion", "digits"]),
        ("train", ["optim.learning_rate=1"], ["optim.learning_rate", "lr", "weight_decay"]),
        ("train", ["nonsense=1"], ["nonsense", "seed", "run_dir"]),
        ("train", ["device=tpu"], ["device=tpu", "cuda", "mps"]),
        ("train", ["trainer.max_epochs=abc"], ["trainer.max_epochs=abc", "whole number"]),
        ("train", ["optim.lr=fast"], ["optim.lr=fast", "a number"]),
        ("probe", ["decode=maybe"], ["decode=maybe", "true or false"]),
        ("train", ["corpus=nonsense"], ["corpus=nonsense", "folders", "fsdd"]),
        ("train", ["optim.lr=[1"], ["optim.lr=[1"]),
        ("predict", ["task=emotion"], ["task", "bundle"]),
        ("predict", ["decoding.lexicon=x"], ["decoding.lexicon", "decoding=beam has it"]),
        ("train", ["objective.margin=1"], ["objective=triplet and objective=verification have it", "label_smoothing"]),
    ],
)
def test_an_unusable_argument_is_one_line_with_the_choices(name, overrides, parts):
    with pytest.raises(ArgumentError) as caught:
        compose(name, overrides if name == "train" else ["input=x", *overrides])
    line = str(caught.value)
    assert "\n" not in line
    for part in parts:
        assert part in line


def test_a_missing_value_is_named():
    with pytest.raises(ArgumentError, match="input"):
        plain(compose("predict", ["output=x"]))


def test_a_constructor_is_the_schema():
    with pytest.raises(ArgumentError, match="chanels"):
        instantiate({"_target_": "avpipe.networks.ResidualEncoder2d", "chanels": [1, 2]})


def test_an_error_of_ours_passes_as_it_is():
    with pytest.raises(RunStopped, match="subject"):
        instantiate({"_target_": "tests.test_config.raise_ours"})


def raise_ours():
    raise RunStopped("subject", "reason")


LABELLED = sorted(path.stem for path in (conf_dir() / "task").glob("*.yaml") if path.stem != "denoise")


@pytest.mark.parametrize("task", LABELLED)
def test_every_labelling_task_composes_and_builds(task):
    config = plain(compose("train", [f"task={task}"]))
    vocabulary = target_of(config["objective"]).vocabulary(["a", "b"])  # type: ignore[attr-defined]
    num_outputs = instantiate({**config["objective"], **vocabulary}).num_outputs
    assert num_outputs >= 2
    network = instantiate({**config["network"], "num_outputs": num_outputs})
    preprocessor = instantiate(config["preprocess"])
    assert set(preprocessor.senses) == set(network.encoders)
    instantiate(config["augment"])
    assert config["task"]["name"] == task


def test_the_denoising_task_composes_and_builds(tmp_path):
    for folder in ("speech", "noise"):
        for index in range(4):
            write_recording(tmp_path / folder / f"{index}.wav")
    own = [f"corpus.{folder}={tmp_path / folder}" for folder in ("speech", "noise")]
    config = plain(compose("train", ["task=denoise", *own]))
    assert instantiate(config["objective"]).num_outputs is instantiate(config["network"]).num_outputs is None
    assert instantiate(config["preprocess"]).senses == ("waveform",)
    assert instantiate(config["augment"]).needs_clip


GROUPS = (
    "encoder", "fusion", "pooling", "augment", "preprocess", "device", "trainer", "optim", "schedule", "cache",
    "transfer", "data",
)  # fmt: skip


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_composes(group):
    # Some augmentations refer to the sound's features, which a preprocessor of frames lacks.
    more = ["augment=none"] if group == "preprocess" else []
    for path in (conf_dir() / group).glob("*.yaml"):
        of_lips = ["task=audio_visual_speech"] if group == "augment" and path.stem.startswith("lips") else []
        assert plain(compose("train", [*of_lips, f"{group}={path.stem}", *more]))


def test_every_yaml_is_one_small_concept():
    for path in conf_dir().rglob("*.yaml"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 30, path


def test_a_users_own_yaml_is_found(tmp_path):
    (tmp_path / "task").mkdir()
    text = (conf_dir() / "task" / "digits.yaml").read_text().replace("name: digits", "name: words")
    (tmp_path / "task" / "words.yaml").write_text(text)
    assert compose("train", ["task=words"], [tmp_path]).task.name == "words"


def test_the_digest_knows_what_determines_a_result():
    def digest(*overrides):
        return config_digest(plain(compose("train", list(overrides))))

    assert digest() == digest("device=cpu", "run_dir=x", "corpus.root=y", "data.workers=3")
    assert digest() != digest("optim.lr=1")
    assert digest() != digest("seed=1")


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml")))
def test_an_experiment_says_all_that_made_its_bundle(experiment):
    config = plain(compose("train", [f"experiment={experiment}"]))
    assert config["run_dir"] is None
    assert plain(compose("train", [f"experiment={experiment}", "trainer.max_epochs=3"]))["trainer"]["max_epochs"] == 3


def test_a_task_may_bring_its_own_recipe_and_an_override_beats_it():
    config = plain(compose("train", ["task=emotion"]))
    assert (config["cache"]["kind"], config["trainer"]["max_epochs"]) == ("features", 50)
    config = plain(compose("train", ["task=emotion", "cache=none", "trainer.max_epochs=7", "augment=voice"]))
    assert (config["cache"]["kind"], config["trainer"]["max_epochs"]) == ("none", 7)


def test_a_task_of_two_senses_has_an_encoder_for_each():
    config = plain(compose("train", ["task=sentiment", "audio_encoder=residual2d_fine", "video_encoder=residual3d"]))
    encoders = config["network"]["encoders"]
    assert encoders["audio"]["_target_"] == "avpipe.networks.ResidualEncoder2d"
    assert encoders["video"]["_target_"] == "avpipe.networks.ResidualEncoder3d"
    with pytest.raises(ArgumentError, match=r"audio_encoder=nothing: no such encoder; choose from: .*residual2d"):
        compose("train", ["task=sentiment", "audio_encoder=nothing"])


@pytest.mark.parametrize("fusion", ["concatenation", "gating", "low_rank", "cross_modal"])
def test_two_senses_meet_in_every_fusion(fusion):
    config = plain(compose("train", ["task=sentiment", f"fusion={fusion}", "task.label=score", "objective=regression"]))
    assert instantiate(config["objective"]).num_outputs == 1
    assert instantiate({**config["network"], "num_outputs": 1}).senses == ("audio", "video")
