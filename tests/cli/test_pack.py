"""avpipe pack, and training from what it has packed."""

import json

import pytest

from tests.cli.test_commands import TRAIN, avpipe, corpus, one_line  # noqa: F401


@pytest.fixture
def cache_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_training_from_shards_ends_as_training_from_files(corpus, tmp_path, cache_of_its_own):  # noqa: F811
    shards = tmp_path / "shards"
    status, said, told = avpipe(
        "pack", "task=sound_event", "corpus=folders", f"corpus.root={corpus}", f"output={shards}"
    )
    assert status == 0, told
    assert said.startswith("1 shards of folders: ")
    plain = (*TRAIN, f"corpus.root={corpus}", f"run_dir={tmp_path / 'files'}")
    packed = (*TRAIN, "corpus=shards", f"corpus.root={shards}", f"run_dir={tmp_path / 'packed'}")
    for arguments in (plain, packed):
        status, _, told = avpipe("train", *arguments)
        assert status == 0, told
    one, other = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("files", "packed"))
    assert one["split_sha256"][:12] in said
    assert (one["metrics"], one["split_sha256"]) == (other["metrics"], other["split_sha256"])
    weights = [(tmp_path / name / "bundle" / "model.safetensors").read_bytes() for name in ("files", "packed")]
    assert weights[0] == weights[1]
    bundle = tmp_path / "packed" / "bundle"
    status, _, told = avpipe(
        "evaluate", f"bundle={bundle}", "corpus=folders", f"corpus.root={corpus}", f"output={tmp_path / 'scores.json'}"
    )
    assert status == 0, told
    assert json.loads((tmp_path / "scores.json").read_text())["split_sha256"] == one["split_sha256"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["shard_mb=0", "output=x"], "shard_mb=0: is no size"), ([], "output: is not given")],
)
def test_what_is_refused_is_one_line(arguments, said, corpus):  # noqa: F811
    status, _, told = avpipe("pack", "task=sound_event", "corpus=folders", f"corpus.root={corpus}", *arguments)
    assert status == 2
    assert said in one_line(told)
