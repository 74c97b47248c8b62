"""One decode of a file: what of it each bundle gets."""

import numpy as np
import pytest

from avpipe.bundle import load_bundle
from avpipe.inference import Job, Predictor, bundle_answer
from avpipe.inference.decoding import Request, Window, decode
from avpipe.media import read_clip, write_audio
from avpipe.objectives import Transcription
from tests.synthetic import noise
from tests.tiny import save_transcriber_bundle

QUIET_SEC = Transcription.edge_silence_sec


@pytest.fixture(scope="module")
def transcriber(tmp_path_factory):
    return load_bundle(save_transcriber_bundle(tmp_path_factory.mktemp("bundle") / "speech"))


@pytest.fixture(scope="module", params=[0.3, 2.0, 3.0, 7.4])
def recording(request, tmp_path_factory):
    """A recording that begins and ends with sound, of one or several windows of 3 s, and the same amid silence."""
    folder = tmp_path_factory.mktemp("media")
    sound = noise(request.param, rate_hz=8000, seed=3)
    write_audio(folder / "bare.wav", sound, 8000)
    samples = round(QUIET_SEC * 8000)
    write_audio(folder / "amid.wav", np.pad(sound, ((0, 0), (samples, samples))), 8000)
    return folder


def windows(path, *requests, start_sec=0.0):
    return [each for each in decode(Job("x", path, start_sec), requests) if isinstance(each, Window)]


def test_silence_stands_in_front_of_a_file_and_behind_it(transcriber, recording):
    preprocessor = transcriber.preprocessor
    plain = windows(recording / "bare.wav", Request(preprocessor.windowing, preprocessor.made))
    edged = windows(recording / "bare.wav", Request(preprocessor.windowing, preprocessor.made, quiet_sec=QUIET_SEC))
    frames = round(QUIET_SEC / preprocessor.frame_sec("audio"))
    assert [(each.start_sec, each.end_sec) for each in edged] == [(each.start_sec, each.end_sec) for each in plain]
    assert [each.quiet_sec for each in edged] == [QUIET_SEC] + [0.0] * (len(edged) - 1)
    for place, (one, other) in enumerate(zip(plain, edged, strict=True)):
        more = frames * ((place == 0) + (place == len(plain) - 1))
        assert other.arrays["audio"].shape[2] == one.arrays["audio"].shape[2] + more
    if len(plain) == 1:
        whole = preprocessor(read_clip(recording / "amid.wav", sample_rate=8000, mono=True))["audio"].numpy()
        np.testing.assert_array_equal(edged[0].arrays["audio"], whole)


def test_a_stretch_of_a_file_begins_with_silence_too(transcriber, recording):
    found = windows(
        recording / "bare.wav",
        Request(transcriber.preprocessor.windowing, transcriber.preprocessor.made, quiet_sec=QUIET_SEC),
        start_sec=0.1,
    )
    assert found[0].quiet_sec == QUIET_SEC


def test_a_recording_is_written_down_as_if_it_stood_amid_silence(transcriber, recording, monkeypatch):
    # As the network tells the times: where speech is found hangs on what is around.
    monkeypatch.setattr(bundle_answer, "within_speech", lambda words, speech: words)
    bare = Predictor([transcriber])(recording / "bare.wav").tasks["speech"]
    monkeypatch.setattr(Transcription, "edge_silence_sec", 0.0)
    amid = Predictor([transcriber])(recording / "amid.wav").tasks["speech"]
    end_sec = bare.windows[-1].end_sec if bare.windows else read_clip(recording / "bare.wav").coverage.asked_sec
    assert bare.text == amid.text
    assert bare.text
    shifted = [(word.start_sec - QUIET_SEC, word.end_sec - QUIET_SEC) for word in amid.words]
    for word, span in zip(bare.words, shifted, strict=True):
        assert (word.start_sec, word.end_sec) == pytest.approx(np.clip(span, 0.0, end_sec), abs=1e-6)
    assert Predictor([transcriber])(recording / "bare.wav").tasks["speech"].text != bare.text  # it is of effect
