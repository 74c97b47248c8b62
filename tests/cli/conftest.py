"""What several commands are tried on."""

import pytest

from tests.tiny import save_transcriber_bundle


@pytest.fixture(scope="session")
def transcriber(tmp_path_factory):
    """The folder of a bundle that transcribes."""
    return save_transcriber_bundle(tmp_path_factory.mktemp("bundle") / "speech")
