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
    return {"path": path, "status": "ok", "reason": "", "coverage": {"asked_sec": 4000.0}, "tasks": {task: answer}}


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


def shown(words, *speech):
    """(start, end, text) of each subtitle."""
    return [
        (cue.start_sec, pytest.approx(cue.end_sec), " ".join(cue.lines))
        for cue in cues([word(*each) for each in words], speech)
    ]


def test_a_subtitle_stays_while_its_last_word_is_heard_and_no_longer():
    words = [("one", 0.2, 0.3), ("two", 1.2, 1.24)]
    assert shown(words) == [(0.2, 0.8, "one"), (1.2, 1.74, "two")]
    assert shown(words, (0.1, 1.65)) == [(0.2, 1.65, "one two")]
    assert shown(words, (0.1, 0.6), (1.1, 2.0), (2.5, 3.0)) == [(0.2, 2.0, "one two")]
    # Found late, as a soft beginning is.
    assert shown(words, (0.4, 0.9), (1.3, 1.9)) == [(0.2, 1.9, "one two")]
    # Not found at all.
    assert shown(words, (0.1, 0.6)) == [(0.2, 1.74, "one two")]
    assert shown(words, (0.1, 0.6), (1.8, 2.5))[-1] == (1.2, 1.74, "two")


def test_a_short_subtitle_can_be_read():
    assert shown([("one", 0.2, 0.3)], (0.1, 0.6)) == [(0.2, 1.2, "one")]
    assert shown([("one", 0.2, 0.3), ("two", 1.1, 1.3)], (0.1, 0.4), (1.1, 1.5)) == [
        (0.2, 1.1, "one"),
        (1.1, 2.1, "two"),
    ]


def test_a_pause_of_the_speaker_parts_and_a_word_that_ends_early_does_not():
    near = [("one", 0.2, 0.6), ("two", 1.2, 1.4)]  # less than a pause apart
    assert len(shown(near)) == 1
    assert [text for _, _, text in shown(near, (0.1, 0.5), (1.2, 2.9))] == ["one", "two"]
    assert len(shown(near, (0.1, 0.55), (1.2, 2.9))) == 1
    far = [("one", 0.2, 0.3), ("two", 1.1, 1.4)]
    assert len(shown(far)) == 2
    assert len(shown(far, (0.1, 1.9))) == 1
    assert len(shown(far, (0.1, 1.9), (2.8, 3.5))) == 1  # that pause lies elsewhere


def test_no_subtitle_stays_beyond_the_recording():
    (cue,) = cues([word("one", 3.1, 3.2)], [(3.0, 3.4)], 3.5)
    assert (cue.start_sec, cue.end_sec) == (3.1, 3.5)
    (cue,) = cues([word("one", 3.1, 3.2)], last_sec=3.5)
    assert (cue.start_sec, cue.end_sec) == (3.1, 3.5)


def test_what_is_not_speech_holds_no_subtitle():
    """Music, which the rule of energy takes for speech."""
    words = [("one", 0.2, 0.3), ("two", 1.9, 2.1), ("three", 4.0, 4.2)]
    assert shown(words, (0.0, 90.0)) == [(0.2, 3.1, "one two"), (4.0, 5.2, "three")]


STRETCHES = st.lists(st.tuples(st.floats(0.2, 9.0), st.floats(0.3, 3.0)), max_size=20)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("abcdé", min_size=1, max_size=60), st.floats(0.05, 2.0)), max_size=60), STRETCHES)
def test_every_word_is_shown_once_and_no_subtitle_is_too_long(pieces, stretches):
    words, time = [], 0.0
    for text, gap in pieces:
        words.append(word(text, time, time + 0.04))
        time += gap
    speech, time = [], 0.0
    for long, gap in stretches:
        speech.append((time, time + long))
        time += long + gap
    found = list(cues(words, speech))
    assert " ".join(line for cue in found for line in cue.lines).split() == [each["text"] for each in words]
    for cue, after in zip_longest(found, found[1:]):
        assert len(cue.lines) <= 2
        assert all(len(line) <= LONGEST_LINE or " " not in line for line in cue.lines)
        assert 0.0 < cue.end_sec - cue.start_sec <= LONGEST_SEC + (1.0 if speech else 0.5) + 1e-6
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


def test_files_are_shaped_by_the_speech_of_their_record(tmp_path):
    told = record("x.wav", [word("hello", 0.5), word("world", 1.3)])
    told["tasks"]["speech"]["speech"] = [[0.4, 0.5], [1.25, 2.75]]
    for write in writers(["srt", "vtt", "txt"]):
        write(tmp_path, [told])
    assert (tmp_path / "x.wav.txt").read_text(encoding="utf-8") == "hello\nworld\n"
    assert "00:00:01,300 --> 00:00:02,600\nworld" in (tmp_path / "x.wav.srt").read_text(encoding="utf-8")
    assert "00:00:01.300 --> 00:00:02.600\nworld" in (tmp_path / "x.wav.vtt").read_text(encoding="utf-8")
