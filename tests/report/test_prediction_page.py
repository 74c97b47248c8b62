import base64
import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from avpipe.report import write_prediction_report
from avpipe.report.thumbnails import thumbnail
from avpipe.report.timeline import MAX_SEGMENTS, segments
from tests.report.reading import Page
from tests.synthetic import write_noise_wav

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


def test_every_sample_has_its_picture_or_none(samples):
    sound, film = thumbnail(samples / "one.wav"), thumbnail(samples / "one_truncated.mp4")
    assert sound.outline
    assert not sound.picture
    assert film.picture.startswith("data:image/jpeg;base64,")
    assert film.alt == "frame at 0.0 s"  # its middle is lost
    assert thumbnail(samples / "six_film.mp4").alt == "frame at 0.3 s"
    assert thumbnail(samples / "text.wav") is thumbnail(samples / "gone.wav") is None


def test_long_sounds_are_not_read_to_their_end(tmp_path):
    write_noise_wav(tmp_path / "long.wav", 200.0, rate_hz=8000)
    assert thumbnail(tmp_path / "long.wav").alt == "envelope of the first 120 s"


def test_a_labelled_folder(tmp_path, samples):
    names = ["one.wav", "six_film.mp4", "gone.wav"]
    records = [record(name, windows=[window(0, 1, "7"), window(1, 2, "8")]) for name in names]
    records += [record("text.wav", "error", reason="is no media"), record("a/seven.wav", "partial", "8", reason="cut")]
    page = Page(write_prediction_report(tmp_path / "report.html", records, samples, summary(5), title="Digits"))
    page.check()
    assert [row["data-status"] for row in page.all("tr") if "data-status" in row] == [
        "ok",
        "ok",
        "ok",
        "error",
        "partial",
    ]
    assert len(page.all("img")) == 1
    assert len(page.all("polygon")) == 2
    assert "0 to 1 s: 7, 0.500" in page.text
    assert "8 (0.09)" in page.text
    assert "is no media" in page.text
    assert "batch_size" in page.text
    assert len(page.all("script")) == 1


@pytest.mark.parametrize("given", ["one.wav", "list.txt"])
def test_the_input_may_be_a_file_or_a_list(tmp_path, samples, given):
    root = samples / "one.wav"
    if given == "list.txt":
        root = tmp_path / "list.txt"
        root.write_text(f"{samples / 'one.wav'}\n")
    name = "one.wav" if given == "one.wav" else (samples / "one.wav").as_posix()
    page = Page(write_prediction_report(tmp_path / "report.html", [record(name)], root, summary(1)))
    assert len(page.all("polygon")) == 1


def test_names_stay_names(tmp_path):
    one = record(HOSTILE, "partial", HOSTILE, [window(0, 1, HOSTILE), window(1, 2, "b")], reason=HOSTILE)
    one["tasks"] = {HOSTILE: {**one["tasks"]["digits"], "text": HOSTILE[:100]}, "other": one["tasks"]["digits"]}
    totals = summary(1, labels={HOSTILE: {HOSTILE: 1, "None": 2}}, bundle=HOSTILE, statuses={HOSTILE: 1})
    page = Page(write_prediction_report(tmp_path / "report.html", [one], tmp_path, totals, title=HOSTILE))
    page.check()
    assert len(page.all("script")) == 1
    assert page.text.count(HOSTILE.replace("\udcff", "\\udcff")) >= 8
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_the_policy_lets_only_our_script_run(tmp_path):
    source = write_prediction_report(tmp_path / "report.html", [record("x")], tmp_path, summary(1)).read_text()
    script = source[source.index("<script>") + 8 : source.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in source


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
    page = Page(write_prediction_report(tmp_path / "report.html", records, tmp_path, summary(100_000), max_pictures=0))
    page.check()
    assert records.most < 10
    assert len([row for row in page.all("tr") if "data-status" in row]) == 2000
    assert "98000 more files" in page.text
    assert "The first 2000 of 100000 files" in page.text
    assert (tmp_path / "report.html").stat().st_size < 2_000_000


def test_pictures_are_limited(tmp_path, samples):
    records = [record("one.wav")] * 5
    path = write_prediction_report(tmp_path / "report.html", records, samples, summary(5), max_pictures=2, max_rows=4)
    page = Page(path)
    assert len(page.all("polygon")) == 2
    assert "1 more files" in page.text


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
    page = Page(write_prediction_report(tmp_path / "report.html", [one], Path("/nowhere"), summary(1)))
    assert "a worda word" in page.text
    page.check()
