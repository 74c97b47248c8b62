import base64
import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avpipe.report import Sketch, Thumbnail, write_prediction_report
from avpipe.report.images import jpeg_bytes
from avpipe.report.row_files import ROWS_A_FILE, RowFiles
from avpipe.report.timeline import MAX_SEGMENTS, segments
from tests.report.reading import Page, rows_of

HOSTILE = "<script>alert('x')</script> & \"q\" \udcff " + "long" * 60
COVERAGE = {"asked_sec": 0.5, "lost_sec": 0.0}


def window(start_sec, end_sec, label, score=0.5):
    return {"start_sec": start_sec, "end_sec": end_sec, "label": label, "score": score, "text": None}


def record(path, status="ok", label="7", windows=(), reason=""):
    answer = {
        "label": label,
        "score": 0.9,
        "scores": {"7": 0.9, "8": 0.09, "9": 0.001},
        "text": None,
        "windows": windows,
    }
    tasks = {} if status == "error" else {"digits": answer}
    return {"path": path, "status": status, "reason": reason, "coverage": COVERAGE, "tasks": tasks}


def summary(count, **changes):
    content = {"num_files": count, "statuses": {"ok": count}, "labels": {"digits": {"7": count}}, "batch_size": 16}
    return {**content, **changes}


def test_windows_become_stretches():
    told = segments([window(0, 2, "a", 0.5), window(1, 3, "a", 0.7), window(2, 4, "b", 0.9), window(5, 6, "b", 0.1)])
    assert [(one.start_sec, one.end_sec, one.label) for one in told] == [(0, 2, "a"), (2, 4, "b"), (5, 6, "b")]
    assert told[0].score == pytest.approx(0.6)


def test_long_stories_are_told_in_equal_parts():
    told = segments([window(k, k + 1, "ab"[k % 3 == 0]) for k in range(1000)])
    assert len(told) <= MAX_SEGMENTS
    assert told[0].start_sec == 0
    assert told[-1].end_sec == pytest.approx(1000)
    assert {one.label for one in told} == {"a"}
    alternating = segments([window(k, k + 1, str(k // 10)) for k in range(1000)])
    assert len(alternating) == MAX_SEGMENTS
    assert all(left.end_sec == pytest.approx(right.start_sec) for left, right in itertools.pairwise(alternating))


def test_windows_without_label_tell_their_text():
    (one,) = segments([{"start_sec": 0, "end_sec": 1, "label": None, "score": None, "text": "hello"}])
    assert (one.label, one.score) == ("hello", None)


def little(name):
    return Thumbnail(f"frame of {name}", jpeg_bytes(np.zeros((4, 6, 3), dtype=np.uint8)))


def test_a_film_is_shown_by_its_middle_and_a_sound_by_its_mel():
    film, sound = Sketch(), Sketch()
    for second in range(100):
        frames = np.full((5, 180, 320, 3), second, dtype=np.uint8)
        film.add_frames(frames, second + np.arange(5) / 5)
        film.add_sound(np.zeros(8000), 8000)
        sound.add_sound(np.random.default_rng(second).standard_normal(8000), 8000)
    assert 40 < float(film.thumbnail().alt.split()[2]) < 60
    assert sound.thumbnail().alt == "spectrogram of the first 30.0 s"
    assert film.thumbnail().jpeg[:2] == sound.thumbnail().jpeg[:2] == b"\xff\xd8"
    assert Sketch().thumbnail() is None


def test_a_labelled_folder(tmp_path, samples):
    names = ["one.wav", "six_film.mp4", "gone.wav"]
    records = [record(name, windows=[window(0, 1, "7"), window(1, 2, "8")]) for name in names]
    records += [record("text.wav", "error", reason="is no media"), record("a/seven.wav", "partial", "8", reason="cut")]
    path = write_prediction_report(
        tmp_path / "report.html",
        records,
        samples,
        summary(5),
        title="Digits",
        thumbnail=little,
        notices=["<faces> are drawn"],
    )
    page = Page(path)
    page.check()
    assert "batch_size" in page.text
    assert "<faces> are drawn" in page.text
    assert "its players need the media" in page.text.lower()
    assert not (tmp_path / "report.rows").exists()
    rows = rows_of(path)
    assert [found[:3] for found, _ in rows] == [
        ["one.wav", "ok", ""],
        ["six_film.mp4", "ok", ""],
        ["gone.wav", "ok", ""],
        ["text.wav", "error", "is no media"],
        ["a/seven.wav", "partial", "cut"],
    ]
    (found, shown), (_, film) = rows[:2]
    assert found[3] == [["digits", "7", 0.9]]
    assert (tmp_path / shown["link"]).resolve() == (samples / "one.wav").resolve()
    assert (shown["film"], film["film"]) == (False, True)
    assert shown["picture"][0].startswith("data:image/jpeg;base64,")
    assert shown["picture"][1] == "frame of one.wav"
    assert shown["answers"][0]["others"] == [["8", 0.09]]
    assert shown["answers"][0]["stretches"] == [[0, 1, "7", 0.5, 0], [1, 2, "8", 0.5, None]]


@pytest.mark.parametrize("given", ["one.wav", "list.txt"])
def test_the_input_may_be_a_file_or_a_list(tmp_path, samples, given):
    root = samples / "one.wav"
    if given == "list.txt":
        root = tmp_path / "list.txt"
        root.write_text(f"{samples / 'one.wav'}\n")
    name = "one.wav" if given == "one.wav" else (samples / "one.wav").as_posix()
    ((_, shown),) = rows_of(write_prediction_report(tmp_path / "report.html", [record(name)], root, summary(1)))
    assert (tmp_path / shown["link"]).resolve() == (samples / "one.wav").resolve()


def test_names_stay_names(tmp_path):
    one = record(HOSTILE, "partial", HOSTILE, [window(0, 1, HOSTILE), window(1, 2, "b")], reason=HOSTILE)
    one["tasks"] = {HOSTILE: {**one["tasks"]["digits"], "text": HOSTILE[:100]}, "other": one["tasks"]["digits"]}
    totals = summary(1, labels={HOSTILE: {HOSTILE: 1, "None": 2}}, bundle=HOSTILE, statuses={HOSTILE: 1})
    path = write_prediction_report(tmp_path / "report.html", [one] * 60, tmp_path, totals, title=HOSTILE)
    page = Page(path)
    page.check()
    assert len(page.all("script")) == 4
    seen = HOSTILE.replace("\udcff", "\\udcff")
    assert page.text.count(seen) >= 5
    assert [found[0] for found, _ in rows_of(path)] == [seen] * 60
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    (beside,) = (tmp_path / "report.rows").iterdir()
    assert "<" not in beside.read_text(encoding="ascii")


def test_the_policy_lets_only_our_script_run_and_what_it_adds(tmp_path):
    source = write_prediction_report(tmp_path / "report.html", [record("x")], tmp_path, summary(1)).read_text()
    script = source[source.index("<script>") + 8 : source.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}' 'strict-dynamic'\"" in source


class Counted:
    """Records made when asked for; knows how many lived at once."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.alive = self.most = 0

    def __iter__(self):
        class Record(dict[str, Any]):
            def __del__(one) -> None:  # noqa: N805
                self.alive -= 1

        for index in range(self.count):
            self.alive += 1
            self.most = max(self.most, self.alive)
            yield Record(record(f"{index}.wav", windows=[window(0, 1, "7")]))


def test_a_hundred_thousand_records_stream_through(tmp_path):
    records = Counted(100_000)
    path = write_prediction_report(tmp_path / "report.html", records, tmp_path, summary(100_000))
    assert records.most < 10
    assert path.stat().st_size < 8_000_000
    assert len(list((tmp_path / "report.rows").iterdir())) == 100_000 // ROWS_A_FILE - 1
    assert "It needs the folder" in Page(path).text


def test_rows_of_earlier_pages_go_when_the_page_is_there(tmp_path):
    folder = tmp_path / "report.rows"
    path = write_prediction_report(tmp_path / "report.html", [record("x")] * 170, tmp_path, summary(170))
    before = {each.name for each in folder.iterdir()}
    assert len(before) == 3
    write_prediction_report(path, [*[record("x")] * 169, record("y")], tmp_path, summary(170))
    after = {each.name for each in folder.iterdir()}
    assert len(after) == 3
    assert len(before & after) == 2
    assert [found[0] for found, _ in rows_of(path)] == ["x"] * 169 + ["y"]
    write_prediction_report(path, [record("x")], tmp_path, summary(1))
    assert not folder.exists()


def test_a_page_that_is_not_finished_leaves_the_old_one_whole(tmp_path):
    path = write_prediction_report(tmp_path / "report.html", [record("x")] * 170, tmp_path, summary(170))

    def breaking():
        yield from [record("y")] * 120
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_prediction_report(path, breaking(), tmp_path, summary(170))
    assert [found[0] for found, _ in rows_of(path)] == ["x"] * 170


def test_rows_are_parted_evenly(tmp_path):
    files = RowFiles(tmp_path)
    for number in range(2 * ROWS_A_FILE + 1):
        files.add(number)
    files.finish()
    assert files.first == list(range(ROWS_A_FILE))
    assert [(tmp_path / name).read_text() for name in files.names][1] == f"takeRows(2,[{2 * ROWS_A_FILE}]);\n"


def test_no_record_at_all(tmp_path):
    page = Page(write_prediction_report(tmp_path / "report.html", [], tmp_path, {}))
    page.check()
    assert "No file was answered." in page.text


def test_the_same_page_twice(tmp_path, samples):
    records = [json.loads(json.dumps(record(path.name))) for path in sorted(samples.glob("*.*"))]
    pages = [
        write_prediction_report(tmp_path / f"{k}.html", iter(records), samples, summary(len(records))).read_bytes()
        for k in range(2)
    ]
    assert pages[0] == pages[1]


def test_an_answer_without_scores(tmp_path):
    one = record("x")
    one["tasks"]["digits"] = {"label": None, "score": None, "scores": {}, "text": "a word" * 100, "windows": []}
    one["coverage"] = None
    path = write_prediction_report(tmp_path / "report.html", [one], Path("/nowhere"), summary(1))
    Page(path).check()
    ((found, shown),) = rows_of(path)
    assert found[3] == [["digits", None, None]]
    assert shown["answers"][0]["text"].startswith("a worda word")
    assert shown["answers"][0]["text"].endswith("…")
    assert shown["seconds"] is None
