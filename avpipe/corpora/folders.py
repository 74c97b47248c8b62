"""Class folders: the corpus that anyone has."""

from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import SIDE_NAMES, Corpus, existing_folder
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.errors import ArgumentError
from avpipe.media import find_media

_GROUPS = ("parent", "prefix")
_EMPTY_REMEDY = "add recordings or remove it; a folder of other things may be hidden by a dot before its name"


class Folders(Corpus):
    """Media in folders whose names are the labels: ``root/<label>/**/<media>``.

    If the folders in ``root`` are called train and val (or valid, validation, dev) or test and hold folders
    themselves, they are the sides of an official split, and the class folders stand in them.

    Args:
        root: the folder of class folders.
        group_from: what a file's group is. ``parent``: the folder within its class folder, such as
            ``happy/speaker_1/``; ``prefix``: its name up to the first ``_`` or ``-``; None: there are no groups.
        licence: of the recordings, for the cards of what learns from them.
    """

    name = "folders"

    def __init__(
        self, root: str | Path | None = None, group_from: str | None = None, licence: str = "not stated"
    ) -> None:
        if not root:
            raise CorpusError("corpus=folders", "corpus.root is not given", "give corpus.root=DIR with class folders")
        if group_from not in (None, *_GROUPS):
            choices = f"choose from {', '.join(_GROUPS)}, null"
            raise ArgumentError(f"corpus.group_from={group_from}", "unknown way to group", choices)
        self.root = existing_folder(root, "give corpus.root=DIR, a folder of class folders")
        self.group_from = group_from
        self.licence = licence

    def scan(self) -> Iterator[Example]:
        return (example for _, example in self._sides_and_examples())

    def official_split(self) -> dict[Example, str] | None:
        if not self._side_folders():
            return None
        return {example: side for side, example in self._sides_and_examples()}

    def _sides_and_examples(self) -> Iterator[tuple[str, Example]]:
        for side, part in self._side_folders() or [("", self.root)]:
            folders = self._class_folders(part)
            for folder in folders:
                files = list(find_media(folder))
                if not files:
                    raise CorpusError(folder, "this class folder holds no media file", _EMPTY_REMEDY)
                for path in files:
                    yield side, Example(path, folder.name, group=self._group(path, folder))

    def _side_folders(self) -> list[tuple[str, Path]]:
        """The sides of an official split and their folders; none where a class happens to be called train."""
        folders = _folders_in(self.root)
        names = {folder.name for folder in folders}
        holds_folders = all(_folders_in(folder) for folder in folders)
        if "train" in names and len(names) > 1 and names <= SIDE_NAMES.keys() and holds_folders:
            return [(SIDE_NAMES[folder.name], folder) for folder in folders]
        return []

    def _class_folders(self, part: Path) -> list[Path]:
        folders = _folders_in(part)
        # Media beside class folders would be left out without a word.
        loose = next((path for path in find_media(part) if path.parent == part), None)
        if loose is not None:
            raise CorpusError(loose, "stands in no class folder", "move it into a folder named as its label")
        if not any(True for folder in folders for _ in find_media(folder)):
            reason = "holds no media file" if folders else "holds no class folder"
            raise CorpusError(part, reason, "give a folder with a folder of media files for each label")
        return folders

    def _group(self, path: Path, class_folder: Path) -> str:
        if self.group_from == "parent":
            # Not the class folder itself: its name is the label.
            return "" if path.parent == class_folder else path.parent.relative_to(class_folder).as_posix()
        if self.group_from == "prefix":
            prefix, found, _ = path.stem.replace("-", "_").partition("_")
            return prefix if found else ""
        return ""


def _folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
