"""Each conf/corpus/*.yaml names a corpus and says every argument of its constructor."""

import inspect
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from avpipe import corpora

FOLDER = Path(__file__).resolve().parents[2] / "conf" / "corpus"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_the_yaml_says_what_the_constructor_takes(name: str) -> None:
    config = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{name}.yaml"))
    assert isinstance(config, dict)
    module, _, class_name = str(config["_target_"]).rpartition(".")
    assert module == "avpipe.corpora"
    corpus = getattr(corpora, class_name)
    assert set(config) == {"_target_", *inspect.signature(corpus).parameters}
    assert getattr(corpus, "name", name) == name
