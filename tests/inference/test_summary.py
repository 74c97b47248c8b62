"""Counts over all records, as they are kept and as they are printed."""

from pathlib import Path

from avpipe.inference.summary import print_summary, summarise


def record(status="ok", reason="", **answer):
    told = {"label": None, "score": None, "scores": {}, "text": None, "windows": [], **answer}
    return {"path": "x.wav", "status": status, "reason": reason, "coverage": None, "tasks": {"task": told}}


def test_answers_without_a_label_are_counted_as_what_they_are():
    records = [record(label="a"), record(text="ab"), record(text=""), record(text=""), record(embedding=[1.0])]
    counted = summarise(records, {})["labels"]["task"]
    assert counted == {"a": 1, "(text)": 1, "(no speech)": 2, "(embedding)": 1}


def test_notes_on_answers_that_are_ok_are_told(capsys):
    records = [record("partial", "cut"), record(), record(reason="narrow"), record(reason="short")]
    totals = summarise(records, {})
    assert totals["notes"] == {"num_ok": 2, "first": "narrow"}
    print_summary(totals, 0, Path("out"))
    assert "2 of the ok answers carry a note, the first: narrow (each: reason in out/report.html)" in (
        capsys.readouterr().out
    )
    print_summary(summarise(records[:2], {}), 0, Path("out"))
    assert "note" not in capsys.readouterr().out
