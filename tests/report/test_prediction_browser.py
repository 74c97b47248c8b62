"""The page of a labelled folder as Chromium shows it, opened from the disk. Slow, and skipped where there is none."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from avpipe.media import write_audio, write_video
from avpipe.report import Sketch, write_prediction_report
from tests.report.browser import browsing, needs_chromium
from tests.synthetic import coloured_frames, tone

pytestmark = [pytest.mark.slow, needs_chromium]

NUM_FILES = 10_000
HOSTILE = "<script>alert(1)</script>.wav"
STATUSES = ("ok", "ok", "ok", "partial", "error")


def name_of(index):
    return {7: HOSTILE, 8: "film.webm"}.get(index, f"folder {index % 7}/{index:05}.wav")


def records():
    for index in range(NUM_FILES):
        status = STATUSES[index % 5]
        windows = [
            {"start_sec": k, "end_sec": k + 1, "label": "ab"[(index + k) % 2], "score": 0.6, "text": None}
            for k in range(3)
        ]
        score = round((index % 1000) / 1000, 3)
        answer = {"label": "abc"[index % 3], "score": score, "scores": {"a": score}, "text": None, "windows": windows}
        yield {
            "path": name_of(index),
            "status": status,
            "reason": "is not media" if status == "error" else "",
            "coverage": {"asked_sec": 3.0, "lost_sec": 0.0},
            "tasks": {} if status == "error" else {"letters": answer},
        }


def thumbnail(name):
    sketch = Sketch()
    sketch.add_sound(np.random.default_rng(len(name)).standard_normal(24_000), 8000)
    return sketch.thumbnail()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("media of 10 000 files")
    (root / HOSTILE).parent.mkdir()
    write_audio(root / HOSTILE, tone(3.0), 16000)
    write_video(root / "film.webm", coloured_frames(50), fps=25, codec="libvpx-vp9")
    counts = {"num_files": NUM_FILES, "statuses": {"ok": 6000, "partial": 2000, "error": 2000}}
    totals = {**counts, "labels": {"letters": {"a": 2666, "b": 2667, "c": 2667}}, "seconds": {"asked_sec": 30_000.0}}
    output = tmp_path_factory.mktemp("out") / "report.html"
    return write_prediction_report(output, records(), root, totals, thumbnail=thumbnail)


@pytest.fixture
def browser():
    with browsing() as opened:
        yield opened
        refused = [text for text in opened.complaints if "ERR_" not in text]
        assert refused == []
        outside = {address.split(":")[0] for address in opened.asked_for} - {"file", "data", "about", "blob"}
        assert outside == set()


def loaded(browser):
    browser.wait_for("document.querySelectorAll('.unloaded').length === 0")


def names(browser):
    return browser.ask("[...document.querySelectorAll('#rows th bdi')].map((one) => one.textContent)")


def shown(browser):
    return browser.ask("document.getElementById('shown').textContent")


def kept(browser, name):
    """A picture to be looked at, where AVPIPE_SCREENSHOTS names a folder."""
    if folder := os.environ.get("AVPIPE_SCREENSHOTS"):
        browser.picture(Path(folder) / name)


def test_ten_thousand_files_open_at_once_and_are_paged_through(page, browser):
    began = time.monotonic()
    browser.open(page)
    loaded(browser)
    assert time.monotonic() - began < 20
    assert shown(browser) == "page 1 of 200, 10000 files"
    assert names(browser) == [name_of(index) for index in range(50)]
    assert sum(address.endswith(".js") for address in browser.asked_for) == 0
    kept(browser, "first.png")
    browser.ask("document.querySelector('.later').click()")
    loaded(browser)
    assert names(browser)[0] == name_of(50)
    assert browser.ask("document.querySelectorAll('#rows img').length") == 50
    assert browser.ask("document.querySelectorAll('#rows tr').length") == 50
    browser.ask("location.hash = '#page=200'")
    browser.wait_for("document.getElementById('shown').textContent.startsWith('page 200')")
    loaded(browser)
    assert names(browser)[-1] == name_of(NUM_FILES - 1)
    assert 2 <= sum(address.endswith(".js") for address in browser.asked_for) <= 3
    kept(browser, "last.png")


def test_filters_by_label_score_status_and_name(page, browser):
    browser.open(page)
    browser.enter("status", "error")
    assert shown(browser) == "page 1 of 40, 2000 of 10000 files"
    assert browser.ask("[...document.querySelectorAll('#rows tr')].every((row) => row.dataset.status === 'error')")
    loaded(browser)
    kept(browser, "errors.png")
    browser.enter("status", "")
    browser.enter("label", '["letters","b"]')
    browser.enter("least", "0.95")
    expected = [k for k in range(NUM_FILES) if k % 5 != 4 and k % 3 == 1 and k % 1000 >= 950]
    assert shown(browser).endswith(f"{len(expected)} of 10000 files")
    assert names(browser) == [name_of(index) for index in expected[:50]]
    browser.enter("order", "sure")
    assert names(browser)[0] == name_of(max(expected, key=lambda k: (k % 1000, -k)))
    loaded(browser)
    assert browser.ask("[...document.querySelectorAll('#rows b')].every((one) => one.textContent === 'b')")
    kept(browser, "filtered.png")
    browser.enter("wanted", "nobody has this name")
    assert shown(browser) == "0 of 10000 files"
    asked = browser.ask("location.hash")
    assert "least=0.95" in asked
    browser.open(page, "#status=partial&wanted=folder+3%2F")
    assert names(browser)[0] == name_of(next(k for k in range(NUM_FILES) if k % 5 == 3 and k % 7 == 3))


def test_a_name_stays_text_and_its_file_plays(page, browser):
    browser.open(page, "#wanted=script")
    loaded(browser)
    assert names(browser) == [HOSTILE]
    assert browser.ask("document.querySelectorAll('#rows script').length") == 0
    browser.ask("document.querySelector('.play').click()")
    browser.wait_for("document.querySelector('audio').currentTime > 0")
    assert browser.ask("document.querySelector('audio').duration") == pytest.approx(3.0, abs=0.1)
    browser.ask("document.querySelectorAll('.timeline rect')[2].dispatchEvent(new MouseEvent('click'))")
    browser.wait_for("document.querySelector('audio').currentTime >= 2")
    kept(browser, "playing.png")
    browser.open(page, "#wanted=film.webm")
    loaded(browser)
    browser.ask("document.querySelector('.play').click()")
    browser.wait_for("document.querySelector('video').currentTime > 0")


def test_a_missing_part_is_told(page, browser):
    part = sorted(page.with_name("report.rows").iterdir())[0]
    away = part.rename(part.with_suffix(".away"))
    try:
        browser.open(page, "#page=2")
        browser.wait_for("document.querySelector('#rows').textContent.includes('is missing: keep it beside')")
    finally:
        away.rename(part)
