"""The benchmark: what it measures in turn, what it tells of it, and where it puts that."""

import json
import time

import pytest

from scripts import bench
from scripts.measure import Bound, Comparison, Row, at_the_matrix_peak, duration, medians, multiply_adds, process_sec

ROW = Row(
    "media", "two files", {"avpipe": 0.02, "slow": 0.05, "quick": 0.03}, Bound("reading", 0.005), ("other",), "as is"
)


def test_a_ratio_is_that_of_the_fastest_peer():
    assert ROW.ratio == pytest.approx(1.5)
    assert ROW.ratios == pytest.approx({"slow": 2.5, "quick": 1.5})
    assert ROW.share == pytest.approx(0.25)
    assert Row("media", "alone", {"avpipe": 1.0}).ratio is None


def test_jobs_take_turns_and_the_first_round_does_not_count():
    called = []

    def slow():
        called.append("b")
        time.sleep(0.02)

    took = medians({"a": lambda: called.append("a"), "b": slow}, 2)
    assert called == ["a", "b"] * 3
    assert took["b"] >= 0.02 > took["a"]


def test_an_absent_peer_is_named_and_left_out(capsys):
    compared = Comparison("media", "job", {"avpipe": lambda: None})
    assert compared.against("peer", "no_such_module_at_all") is None
    assert compared.against("json", "json") == [json]
    row = compared.run(1)
    assert (row.absent, list(row.took_sec)) == (("peer",), ["avpipe"])
    assert "no_such_module_at_all: not installed" in capsys.readouterr().err
    assert "peer: not installed" in str(row)


def test_a_bound_is_as_many_times_its_job():
    compared = Comparison("media", "job", {"avpipe": lambda: None}, bound=("half", lambda: time.sleep(0.02), 0.5))
    assert 0.01 <= compared.run(1).bound.sec < 0.02


def test_multiply_adds_are_those_of_torch():
    import torch

    assert multiply_adds(lambda: torch.zeros(3, 5) @ torch.zeros(5, 7)) == 3 * 5 * 7
    what, product, times = at_the_matrix_peak(1024**3)
    assert (what, times, product().shape) == ("multiply-adds at the matrix peak", 1.0, (1024, 1024))


def test_a_process_is_timed_and_one_that_fails_is_told():
    seconds, megabytes = process_sec(["-c", "import time; time.sleep(0.1)"])
    assert (seconds > 0.1, megabytes > 1) == (True, True)
    with pytest.raises(RuntimeError, match="ended with 3"):
        process_sec(["-c", "raise SystemExit(3)"])


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.00000125, "1.25 µs"), (0.0999, "99.9 ms"), (0.12345, "123 ms"), (1.5, "1.5 s"), (250, "250 s")],
)
def test_durations_have_three_digits(seconds, told):
    assert duration(seconds) == told


def test_the_table_has_a_line_a_row_with_its_peers_and_bound(tmp_path):
    bench.keep(tmp_path, "media", [ROW, ROW])
    line = next(each for each in (tmp_path / "bench.md").read_text().splitlines() if "two files" in each)
    assert line == (
        "| media | two files (1) | 20 ms | **1.50x** quick (30 ms), 2.50x slow (50 ms), other: not installed "
        "| 5 ms: reading | 25% |"
    )
    assert (tmp_path / "bench.md").read_text().endswith("\n(1) as is.\n")


def test_a_group_measured_again_replaces_its_rows_alone(tmp_path):
    other = Row("denoise", "filter", {"avpipe": 1.0, "peer": 0.5})
    bench.keep(tmp_path, "media", [ROW, ROW])
    bench.keep(tmp_path, "denoise", [other])
    bench.keep(tmp_path, "media", [ROW])
    told = bench.read(tmp_path)["groups"]
    assert [bench.row_of(row) for row in told["media"]["rows"]] == [ROW]
    assert [bench.row_of(row) for row in told["denoise"]["rows"]] == [other]
    assert told["media"]["measured"]["cores"] >= 1


def test_the_table_goes_between_the_marks(tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text(f"before\n{bench.BEGIN}\nold\n{bench.END}\nafter\n", encoding="utf-8")
    for text in ("| new |\n", "| newer |\n"):
        assert bench.put_into(page, text) == 0
        assert page.read_text() == f"before\n{bench.BEGIN}\n{text}{bench.END}\nafter\n"
    page.write_text("no place\n", encoding="utf-8")
    assert bench.put_into(page, "| new |\n") == 2
    assert "lacks the line" in capsys.readouterr().err
    assert page.read_text() == "no place\n"


def test_the_readme_has_a_place_for_the_table(repository):
    page = (repository / "README.md").read_text(encoding="utf-8")
    assert page.count(bench.BEGIN) == page.count(bench.END) == 1


def test_a_group_that_there_is_not_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        bench.main([str(tmp_path), "medium"])
    assert ended.value.code == 2
    assert "no such group: medium; choose from: media" in capsys.readouterr().err


def test_features_are_measured(tmp_path, capsys):
    assert bench.main([str(tmp_path), "features", "--small"]) == 0
    rows = [bench.row_of(row) for row in bench.read(tmp_path)["groups"]["features"]["rows"]]
    assert len(rows) == 2
    assert all(set(row.took_sec) > {"avpipe"} and row.share > 0 for row in rows)
    assert "log-mel" in capsys.readouterr().out
