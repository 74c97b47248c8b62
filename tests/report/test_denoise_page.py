from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from avpipe.media import write_audio
from avpipe.report import write_denoise_report
from avpipe.report.before_after import MAX_BANDS, MAX_COLUMNS, read_excerpt, spectrogram_db
from tests.gate import words
from tests.report.reading import Page
from tests.synthetic import tone, write_noise_wav

HOSTILE = "<script>alert('x')</script> & \"q\" \udcff " + "long" * 50


def record(path, status="ok", action="cleaned", snr=10.0, **changes):
    levels = ("snr_before_db", "snr_after_db", "level_change_db", "removed_db", "noise_before_db", "noise_after_db")
    stream = {"index": 0, "codec": "vorbis", "codec_written": "flac", "sample_rate": 16000, "channels": 1}
    row = {
        "path": path, "status": status, "reason": "", "output": path, "action": action, "duration_sec": 1.5,
        **dict.fromkeys(levels, snr), "warnings": [], "streams": [stream], "coverage": None,
    }  # fmt: skip
    return {**row, **changes}


def totals(count):
    return {
        "strength": 1.0, "num_files": count, "statuses": {"ok": count}, "actions": {"cleaned": count},
        "sound_sec": 1.5, "num_warned": 1,
    }  # fmt: skip


@pytest.fixture
def folders(tmp_path):
    """(sources, outputs) of sounds of the same names."""
    for folder, noise in (("in", 0.05), ("out", 0.005)):
        for name in ("a b#1%.wav", "long.wav", "odd 😀?.wav"):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_audio(tmp_path / folder / name, words(40.0 if name == "long.wav" else 1.5, noise=noise), 16000)
    return tmp_path / "in", tmp_path / "out"


def page_of(folders, records, **options):
    sources = {record["path"]: folders[0] / record["path"] for record in records}
    path = folders[1] / "report.html"
    return Page(write_denoise_report(path, iter(records), sources, folders[1], totals(len(records)), **options))


def check(page):
    """As every page, but for the players' sounds."""
    links = {
        str(value) for tag in ("a", "audio") for one in page.all(tag) for value in [one.get("href", one.get("src"))]
    }
    outside = [link for link in links if not link.startswith("#")]
    assert set(page.outside()) == set(outside)
    assert all(not link.startswith(("http", "/", "file")) for link in outside)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(page.all("h1")) == 1
    assert len(page.all("script")) == 1
    return outside


def test_a_cleaned_folder(folders):
    records = [
        record("a b#1%.wav", snr=20.0), record("long.wav", snr=5.0, duration_sec=40.0),
        record("odd 😀?.wav", warnings=["is odd"]),
        record("quiet.wav", action="passed unchanged"),
        record("bad.wav", "error", "", None, reason="is no media", output="", duration_sec=None, streams=[]),
    ]  # fmt: skip
    page = page_of(folders, records)
    links = check(page)
    assert [row["data-status"] for row in page.all("tr") if "data-status" in row] == ["ok"] * 4 + ["error"]
    assert len(page.all("figure")) == 3
    titles = [text for text in page.texts if text in ("a b#1%.wav", "long.wav", "odd 😀?.wav")]
    assert titles[3:] == ["odd 😀?.wav", "long.wav", "a b#1%.wav"]
    assert "is no media" in page.text
    assert "flac (was vorbis)" in page.text
    for link in links:
        assert (folders[1] / unquote(link.partition("#")[0])).exists(), link
    assert any(link.endswith("#t=5.0,35.0") for link in links)


def test_names_stay_names(folders):
    one = record("a b#1%.wav", warnings=[HOSTILE], reason=HOSTILE)
    page = page_of(folders, [one, record(HOSTILE)], title=HOSTILE)
    check(page)
    assert page.text.count(HOSTILE.replace("\udcff", "\\udcff")) >= 4
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "cannot be shown" in page.text


def test_pictures_and_rows_are_limited(folders):
    records = [record("a b#1%.wav", snr=float(k)) for k in range(50)]
    page = page_of(folders, records, max_shown=2, max_rows=10)
    assert len(page.all("figure")) == 2
    assert "40 more files" in page.text
    assert "0.0 dB" in page.text
    assert not page_of(folders, records, max_shown=0).all("figure")


def test_no_file_at_all(tmp_path):
    page = Page(write_denoise_report(tmp_path / "report.html", [], {}, tmp_path, totals(0)))
    check(page)
    assert "There was no file." in page.text


def test_the_same_page_twice(folders):
    assert page_of(folders, [record("a b#1%.wav")]).source == page_of(folders, [record("a b#1%.wav")]).source


def test_the_middle_of_a_long_recording_is_shown(folders):
    excerpt = read_excerpt(folders[0] / "long.wav", folders[1] / "long.wav", 40.0)
    assert (excerpt.start_sec, excerpt.seconds, excerpt.is_whole) == (5.0, 30.0, False)


def test_another_rate_is_brought_to_that_of_the_source(tmp_path):
    write_audio(tmp_path / "in.wav", words(1.0, 44100), 44100)
    write_audio(tmp_path / "out.wav", words(1.0, 48000), 48000)
    excerpt = read_excerpt(tmp_path / "in.wav", tmp_path / "out.wav", 1.0)
    assert excerpt.sample_rate == 44100
    assert excerpt.before.shape == excerpt.after.shape


@pytest.mark.parametrize("rate_hz", [8000, 44100, 192000])
def test_a_tone_stands_at_its_frequency_and_level(rate_hz):
    levels = spectrogram_db(tone(2.0, 1000.0, rate_hz, amplitude=1.0)[0], rate_hz)
    assert levels.shape[0] <= MAX_BANDS
    assert levels.shape[1] <= MAX_COLUMNS
    band = int(levels.mean(axis=1).argmax())
    assert abs((band + 0.5) * rate_hz / 2 / levels.shape[0] - 1000.0) <= rate_hz / 2 / levels.shape[0]
    assert -16.0 < levels[band].max() < 1.0


def test_a_few_samples_are_drawn(tmp_path):
    write_noise_wav(tmp_path / "in.wav", 0.001)
    one = record("in.wav", duration_sec=0.001)
    page = Page(write_denoise_report(tmp_path / "r.html", [one], {"in.wav": tmp_path / "in.wav"}, tmp_path, totals(1)))
    assert len(page.all("figure")) == 1
    assert np.isfinite(spectrogram_db(np.zeros(3, np.float32), 8000)).all()
    assert isinstance(page, Page)
    assert Path(tmp_path / "r.html").is_file()
