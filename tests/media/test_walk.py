"""Finding media files."""

import os
from pathlib import Path

import pytest

from avpipe.media import UnreadableMedia, find_media


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_media_files_in_order(tmp_path: Path) -> None:
    wanted = [touched(tmp_path / name) for name in ("B/z.WAV", "a.mp3", "b/a/1.mkv", "b/ü [1].Mp4")]
    for name in (
        "a.txt",
        "b/._z.wav",
        ".hidden/a.wav",
        f".{os.getpid()}.part.a.wav",
        "wav",
        "b/a/1.mkv.srt",
    ):
        touched(tmp_path / name)
    assert list(find_media(tmp_path)) == wanted


def test_links_loops_and_special_files(tmp_path: Path) -> None:
    touched(tmp_path / "tree" / "a.wav")
    touched(tmp_path / "other" / "b.wav")
    (tmp_path / "tree" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "tree" / "loop").symlink_to(tmp_path / "tree")
    (tmp_path / "tree" / "broken.wav").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "tree" / "pipe.wav")
    found = [path.relative_to(tmp_path / "tree").as_posix() for path in find_media(tmp_path / "tree")]
    assert found == ["a.wav", "linked/b.wav"]
    told: list[UnreadableMedia] = []
    assert len([*find_media(tmp_path / "tree", told.append)]) == 2
    assert [Path(each.subject).name for each in told] == ["broken.wav", "pipe.wav"]


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(tmp_path / "a" / "1.wav")
    last = touched(tmp_path / "b.wav")
    listed = Path.iterdir

    def forbidding(folder: Path) -> object:
        if folder.name == "a":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", forbidding)
    with pytest.raises(UnreadableMedia, match="Permission denied"):
        list(find_media(tmp_path))
    problems: list[UnreadableMedia] = []
    assert list(find_media(tmp_path, problems.append)) == [last]
    assert len(problems) == 1


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia):
        list(find_media(tmp_path / "missing"))
