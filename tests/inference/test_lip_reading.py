"""What lips say: placed by presentation times, the same wherever a film is cut, and one line for what cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from avpipe.bundle import load_bundle
from avpipe.config import instantiate
from avpipe.inference import Job, Predictor
from avpipe.inference.journal import Journal
from avpipe.media import write_audio, write_video
from tests.mouths import PLACE, write_boxes, write_talk
from tests.synthetic import noise, tone, truncate, write_resized_video
from tests.tiny import LIPS, LIPS_AND_SOUND, save_lips_bundle

TEXT = "aoea oaa eo"
STEP_SEC = 0.04


@pytest.fixture(scope="module")
def lips(tmp_path_factory):
    return load_bundle(save_lips_bundle(tmp_path_factory.mktemp("bundle") / "lips"))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return load_bundle(save_lips_bundle(tmp_path_factory.mktemp("bundle") / "both", LIPS_AND_SOUND))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talks")
    write_talk(folder / "plain.mkv", TEXT)
    write_talk(folder / "heard.mkv", TEXT, waveform=noise(2.5))
    write_audio(folder / "sound.wav", noise(2.5), 16000)
    return folder


class Collected:
    def __init__(self):
        self.found = {}

    def add(self, prediction):
        self.found[prediction.path] = prediction


def spans(answer):
    return np.array([(word.start_sec, word.end_sec) for word in answer.words])


def read(bundle, path):
    prediction = Predictor([bundle], batch_size=2)(path)
    assert prediction.status == "ok", prediction.reason
    return prediction.tasks[bundle.name]


def test_a_film_is_read_and_its_words_have_times(lips, folder):
    answer = read(lips, folder / "plain.mkv")
    assert len(answer.words) >= 2
    assert answer.text == " ".join(word.text for word in answer.words)
    times = spans(answer)
    assert (np.diff(times.ravel()) >= -1e-9).all()
    assert times[0, 0] >= 0.0
    assert times[-1, 1] <= 2.16 + 1e-6
    np.testing.assert_allclose(times / STEP_SEC, np.rint(times / STEP_SEC), atol=1e-6)  # no silence moves the steps


def test_sound_that_is_not_asked_for_changes_nothing(lips, folder):
    plain, heard = read(lips, folder / "plain.mkv"), read(lips, folder / "heard.mkv")
    assert plain.words == heard.words
    assert not heard.speech


@pytest.mark.parametrize("fps", [50, 100])
def test_a_rate_changes_neither_words_nor_times(lips, folder, tmp_path, fps):
    other = read(lips, write_talk(tmp_path / "x.mkv", TEXT, fps=fps))
    plain = read(lips, folder / "plain.mkv")
    # The last frame may be on show for a step more.
    np.testing.assert_allclose(spans(other)[:-1], spans(plain)[:-1])
    assert [word.text for word in other.words][:-1] == [word.text for word in plain.words][:-1]


def test_words_of_a_picture_that_begins_late_are_as_late(lips, folder, tmp_path):
    plain = read(lips, folder / "plain.mkv")
    for start_sec in (0.52, 4.0):  # within the first window, and behind it
        late = read(lips, write_talk(tmp_path / "late.mkv", TEXT, start_sec=start_sec, waveform=tone(7.0)))
        assert late.text == plain.text
        np.testing.assert_allclose(spans(late), spans(plain) + start_sec, atol=1e-6)


def test_a_long_film_is_read_alike_wherever_it_is_cut(lips, tmp_path):
    film = write_talk(tmp_path / "long.mkv", "aoea oaa eo" * 6)
    cut = read(lips, film)
    long = instantiate({**LIPS["preprocessor"], "window_sec": 16.0, "hop_sec": 14.0})
    whole = read(replace(lips, preprocessor=long), film)
    assert cut.text == whole.text
    np.testing.assert_allclose(spans(cut), spans(whole), atol=1e-6)


def test_neighbours_and_workers_change_no_bit(both, folder):
    jobs = [Job(path.name, path) for path in sorted(folder.iterdir())]
    alone = {job.name: Predictor([both], batch_size=4)(job.path).to_record()["tasks"] for job in jobs}
    for workers, order in ((0, jobs), (0, jobs[::-1]), (2, jobs)):
        sink = Collected()
        Predictor([both], batch_size=4, workers=workers).run(order, sink)
        assert {name: each.to_record()["tasks"] for name, each in sink.found.items()} == alone


def test_sound_alone_lips_alone_and_both_are_answered(both, folder):
    texts = {name: read(both, folder / name).text for name in ("plain.mkv", "heard.mkv", "sound.wav")}
    assert len(set(texts.values())) == 3


def test_boxes_beside_a_film_are_looked_at(lips, folder, tmp_path):
    moved = tuple(side - 0.25 for side in PLACE)  # by whole pixels
    film = write_talk(tmp_path / "x.mkv", TEXT, places=[moved] * 54)
    plain, without = read(lips, folder / "plain.mkv"), read(lips, film)
    table = write_boxes(tmp_path / "x.mkv.boxes.csv", [(0, *moved)])
    assert read(lips, film).text == plain.text != without.text
    other = table.rename(tmp_path / "other.csv")
    sink = Collected()
    Predictor([lips]).run([Job("x", film, boxes=other)], sink)
    assert sink.found["x"].tasks["lips"].text == plain.text


def test_boxes_that_cannot_be_are_one_line_and_those_beyond_the_picture_are_told(lips, tmp_path):
    film = write_talk(tmp_path / "x.mkv", TEXT)
    for rows, status, part in (
        ([], "error", "x.mkv.boxes.csv: holds no box"),
        ([(1, *PLACE), (0, *PLACE)], "error", "line 3: its time does not rise"),
        ([(0, 1.5, 0, 2, 1)], "error", "the box at 0 s lies outside the picture"),
        ([(0, 0.9, 0.5, 1.1, 0.7)], "ok", "lips: 1 of 1 boxes reach beyond the picture: moved into it"),
        ([(99, *PLACE)], "ok", "lips: its boxes are of 99 s to 99 s, and the film of 0 s to "),
    ):
        write_boxes(tmp_path / "x.mkv.boxes.csv", rows)
        prediction = Predictor([lips])(film)
        assert (prediction.status, part in prediction.reason) == (status, True), prediction.reason
        assert "\n" not in prediction.reason


def test_a_film_whose_boxes_changed_is_answered_anew(lips, tmp_path):
    film = write_talk(tmp_path / "x.mkv", TEXT)
    job = Job("x.mkv", film)
    with Journal(tmp_path / "out", {}, boxes=True) as journal:
        for rows in (None, [(0, *PLACE)], [(0, 0, 0, 1, 1)]):
            if rows:
                write_boxes(tmp_path / "x.mkv.boxes.csv", rows)
            assert list(journal.pending([job])) == [job]
            journal.add(Predictor([lips])(film))
            assert list(journal.pending([job])) == []


def test_what_cannot_be_read_from_lips_is_one_line(lips, tmp_path):
    write_audio(tmp_path / "sound.wav", noise(1.0), 16000)
    prediction = Predictor([lips])(tmp_path / "sound.wav")
    assert prediction.status == "abstained"
    assert "no picture" in prediction.reason
    (tmp_path / "text.mp4").write_text("no film at all")
    assert Predictor([lips])(tmp_path / "text.mp4").status == "error"


@pytest.mark.parametrize(
    ("number", "fps", "size"),
    [(1, 25, (48, 64)), (3, 30, (48, 64)), (150, 1000, (48, 64)), (30, 25, (128, 32)), (2, 25, (2, 300))],
)
def test_odd_films_are_answered_with_their_coverage(lips, both, tmp_path, number, fps, size):
    film = write_talk(tmp_path / "x.mkv", TEXT, times_sec=np.arange(number) / fps, size=size)
    for bundle in (lips, both):
        prediction = Predictor([bundle])(film)
        assert prediction.status == "ok", prediction.reason
        assert prediction.coverage.frames_decoded == number
        assert prediction.tasks[bundle.name].text is not None


def test_a_huge_picture_is_answered(lips, tmp_path):
    frame = np.full((4320, 7680, 3), 90, np.uint8)
    write_video(tmp_path / "8k.mp4", [frame] * 2, options={"preset": "ultrafast"})
    prediction = Predictor([lips])(tmp_path / "8k.mp4")
    assert (prediction.status, prediction.coverage.frames_decoded) == ("ok", 2)


def test_frames_of_changing_size_are_answered(lips, tmp_path):
    prediction = Predictor([lips])(write_resized_video(tmp_path / "x.ts"))
    assert prediction.status in ("ok", "partial"), prediction.reason
    assert prediction.coverage.frames_decoded >= 48  # the decoder drops what it holds where the size changes


def test_a_film_that_breaks_off_is_partial(lips, tmp_path):
    film = truncate(write_talk(tmp_path / "x.mkv", TEXT * 4), 0.7)
    prediction = Predictor([lips])(film)
    assert prediction.status == "partial"
    assert prediction.tasks["lips"].text
