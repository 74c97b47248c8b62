"""A folder of recordings to draw from: noises, responses of rooms."""

import os
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np

from avpipe.corpora.corpus import CORPORA_VARIABLE
from avpipe.errors import ArgumentError
from avpipe.media import MediaError, find_media, read_clip

_MOST_FILES = 64


class RecordingFolder:
    """The recordings of a folder; the beginnings of those used last are kept in memory, so that none is opened twice.

    Each process keeps its own: at most 64 recordings, thus 250 MB at 16 kHz where all last 60 s.

    Args:
        root: the folder, searched with those below it; None or empty: ``default`` under ``$AVPIPE_CORPORA``.
        default: its name there.
        content: what it holds, in words, for whoever must find it.
        longest_sec: no more is read of a recording.

    Raises:
        ArgumentError: there is no such folder, or no media file in it.
    """

    def __init__(self, root: str | Path | None, default: str, content: str, longest_sec: float = 60.0) -> None:
        self.root = _existing(root, default, content)
        self.longest_sec = longest_sec
        self.paths = tuple(find_media(self.root))
        if not self.paths:
            raise ArgumentError(self.root, "holds no media file", f"fill it with {content}")
        self._kept: OrderedDict[tuple[int, int], np.ndarray | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.paths)

    def waveform(self, place: int, sample_rate: int) -> np.ndarray | None:
        """The beginning of a recording in one channel; None where it cannot be read, of which a warning tells.

        Shape:
            returns (samples,), float32, read-only.
        """
        key = place, sample_rate
        if key not in self._kept:
            self._kept[key] = self._read(self.paths[place], sample_rate)
            if len(self._kept) > _MOST_FILES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _read(self, path: Path, sample_rate: int) -> np.ndarray | None:
        try:
            waveform = read_clip(path, 0.0, self.longest_sec, sample_rate=sample_rate, mono=True).waveform
        except MediaError as error:
            warnings.warn(f"not mixed in: {error}", stacklevel=1)
            return None
        if waveform is None:
            return None
        samples = np.array(waveform[0])
        samples.flags.writeable = False
        return samples


def _existing(root: str | Path | None, default: str, content: str) -> Path:
    remedy = f"give a folder of {content} (augment.clip.N.root=DIR)"
    if root:
        folder = Path(root).expanduser()
    elif parent := os.environ.get(CORPORA_VARIABLE):
        folder = Path(parent) / default
    else:
        raise ArgumentError("root", f"neither it nor {CORPORA_VARIABLE} is given", remedy)
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise ArgumentError(folder, "is not a folder" if folder.exists() else "no such folder", remedy)
    return folder
