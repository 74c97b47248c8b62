"""Transcripts as files that players and browsers show."""

from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.inference.formats import writers
from avpipe.inference.subtitles import LONGEST_LINE, LONGEST_SEC, cues


def word(text, start_sec, end_sec=None):
    return {
        "text": text,
        "start_sec": start_sec,
        "end_sec": start_sec + 0.3 if end_sec is None else end_sec,
        "score": 1,
    }


def record(path, words, text=None, task="speech"):
    text = " ".join(each["text"] for each in words) if text is None else text
    answer = {"label": None, "score": 1.0, "scores": {}, "text": text, "windows": [], "words": words}
    return {"path": path, "status": "ok", "reason": "", "coverage": None, "tasks": {task: answer}}


WORDS = [word("hello", 0.5), word("world", 1.0), word("again", 3661.25)]


def test_a_pause_ends_a_subtitle():
    first, second = cues(WORDS)
    assert (first.start_sec, first.lines) == (0.5, ("hello world",))
    assert first.end_sec == pytest.approx(1.8)
    assert second.lines == ("again",)


def test_a_subtitle_ends_where_the_next_begins():
    first, second = cues([word("one", 0.0, 0.2), word("two", 0.95)])
    assert first.end_sec == pytest.approx(0.7)
    first, second = cues([word("one " * 8, 0.0, 2.0), word("two " * 10, 2.1), word("three " * 8, 2.4)])
    assert first.end_sec == second.start_sec == 2.4


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("abcdé", min_size=1, max_size=60), st.floats(0.05, 2.0)), max_size=60))
def test_every_word_is_shown_once_and_no_subtitle_is_too_long(pieces):
    words, time = [], 0.0
    for text, gap in pieces:
        words.append(word(text, time, time + 0.04))
        time += gap
    found = list(cues(words))
    assert " ".join(line for cue in found for line in cue.lines).split() == [each["text"] for each in words]
    for cue, after in zip_longest(found, found[1:]):
        assert len(cue.lines) <= 2
        assert all(len(line) <= LONGEST_LINE or " " not in line for line in cue.lines)
        assert cue.end_sec - cue.start_sec <= LONGEST_SEC + 0.6
        assert after is None or cue.end_sec <= after.start_sec


def test_each_recording_has_its_file(tmp_path):
    records = [record("a/x.wav", WORDS), record("/abs/../y.mp3", []), record("z.mp4", WORDS)]
    records[2]["tasks"]["other"] = dict(records[2]["tasks"]["speech"], text="other", words=WORDS[:1])
    records[2]["tasks"]["emotion"] = {
        "label": "sad",
        "score": 1,
        "scores": {},
        "text": None,
        "windows": [],
        "words": [],
    }
    for write in writers(["srt", "vtt", "txt"]):
        write(tmp_path, records)
    assert (tmp_path / "a/x.wav.srt").read_text(encoding="utf-8") == (
        "1\n00:00:00,500 --> 00:00:01,800\nhello world\n\n2\n01:01:01,250 --> 01:01:02,050\nagain\n\n"
    )
    assert (
        (tmp_path / "a/x.wav.vtt")
        .read_text(encoding="utf-8")
        .startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.800\nhello world\n\n")
    )
    assert (tmp_path / "a/x.wav.txt").read_text(encoding="utf-8") == "hello world\nagain\n"
    assert (tmp_path / "abs/y.mp3.srt").read_text(encoding="utf-8") == ""
    assert sorted(path.name for path in tmp_path.glob("z*.srt")) == ["z.mp4.other.srt", "z.mp4.speech.srt"]
