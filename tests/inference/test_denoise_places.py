"""Where cleaned files go, and what is refused."""

import os

import pytest

from avpipe.errors import ArgumentError
from avpipe.inference.denoise.places import find_jobs, part_of, sweep


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    for name in ("a/x.wav", "b/x.wav", "y.mp3", "notes.doc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_folder_is_mirrored(recordings, tmp_path):
    jobs = find_jobs(recordings, tmp_path / "clean")
    assert {job.name: job.target for job in jobs} == {
        name: tmp_path / "clean" / name for name in ("a/x.wav", "b/x.wav", "y.mp3")
    }


def test_a_file_goes_to_a_file_or_into_a_folder(recordings, tmp_path):
    (job,) = find_jobs(recordings / "y.mp3", tmp_path / "z.wav")
    assert job.target == tmp_path / "z.wav"
    (job,) = find_jobs(recordings / "y.mp3", tmp_path)
    assert job.target == tmp_path / "y.mp3"
    (job,) = find_jobs(recordings / "y.mp3", f"{tmp_path}/new/")
    assert job.target == tmp_path / "new/y.mp3"
    with pytest.raises(ArgumentError, match=r"write .*/new\.mp3 for a file, .*/new/ for a folder"):
        find_jobs(recordings / "y.mp3", tmp_path / "new")


def test_a_list_is_mirrored_by_its_paths(recordings, tmp_path, elsewhere):
    listing = recordings / "list.txt"
    listing.write_text("a/x.wav\nb/x.wav\n")
    assert [job.target for job in find_jobs(listing, tmp_path / "o")] == [
        tmp_path / "o/a/x.wav",
        tmp_path / "o/b/x.wav",
    ]
    absolute = elsewhere / "list.txt"
    absolute.write_text(f"{recordings / 'a/x.wav'}\n{recordings / 'y.mp3'}\n../recordings/b/x.wav\n")
    found = [job.target.relative_to(tmp_path / "o").as_posix() for job in find_jobs(absolute, tmp_path / "o")]
    assert found == ["a/x.wav", "y.mp3", "b/x.wav"]
    listing.write_text("a/x.wav\na/../a/x.wav\n")
    with pytest.raises(ArgumentError, match="twice"):
        find_jobs(listing, tmp_path / "o")


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ("recordings", "recordings"), ("recordings", "recordings/a"), ("recordings", "recordings/new/clean"),
        ("recordings", "link"), ("recordings/y.mp3", "recordings/y.mp3"), ("recordings/y.mp3", "recordings"),
        ("recordings/y.mp3", "link/y.mp3"), ("recordings/list.txt", "recordings"), ("recordings", "recordings/y.mp3"),
    ],
)  # fmt: skip
def test_sources_are_never_overwritten_nor_outputs_read(recordings, tmp_path, given, output):
    (recordings / "list.txt").write_text("a/x.wav\n")
    (tmp_path / "link").symlink_to(recordings)
    with pytest.raises(ArgumentError, match="output="):
        find_jobs(tmp_path / given, tmp_path / output)


@pytest.mark.parametrize("output", ["file.wav/out.wav", "file.wav/sub/"])
def test_nothing_can_be_written_below_a_file(recordings, tmp_path, output):
    (tmp_path / "file.wav").touch()
    for given in (recordings, recordings / "a" / "x.wav"):
        with pytest.raises(ArgumentError, match=r"file\.wav is a file"):
            find_jobs(given, f"{tmp_path}/{output}")


def test_a_folder_cannot_be_made_of_a_link_to_nothing(recordings, tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ArgumentError, match="is no folder"):
        find_jobs(recordings, tmp_path / "link")


def test_a_name_that_is_no_text_keeps_its_bytes(tmp_path):
    (tmp_path / "in").mkdir()
    os.close(os.open(os.fsencode(tmp_path) + b"/in/\xff.wav", os.O_CREAT))
    (job,) = find_jobs(tmp_path / "in", tmp_path / "out")
    assert os.fsencode(job.target.name) == b"\xff.wav"


def test_parts_are_hidden_short_and_swept_when_their_process_is_gone(tmp_path):
    part = part_of(tmp_path / f"{'long' * 62}.wav")
    assert part.name.startswith(".")
    assert part.suffix == ".wav"
    assert len(part.name) < 60
    gone = tmp_path / ".999999999.0123456789ab.part.wav"
    alive = tmp_path / f".{os.getppid()}.0123456789ab.part.wav"
    page = tmp_path / ".999999999.part.report.html"
    foreign = tmp_path / ".hidden.wav"
    for path in (part, gone, page, alive, foreign):
        path.touch()
    sweep([tmp_path, tmp_path / "absent"], own=False)
    assert part.exists()
    assert not gone.exists()
    sweep([tmp_path, tmp_path / "absent"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([alive.name, foreign.name])
