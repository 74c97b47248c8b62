"""The windows of a file, as arrays: what a network is given before anything is made of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from avpipe.media import BoxTrack, Clip, ClipFormat, WindowPlan
from avpipe.windowing.crops import Crops
from avpipe.windowing.frame_windows import FrameWindows
from avpipe.windowing.mouth import MouthCut

Arrays = dict[str, np.ndarray]
"""Of a window, what it has of both.

Shape:
    ``"waveform"``: (channels, samples), float32 in [-1, 1]. ``"frames"``: (T, H, W, 3), uint8.
"""


@dataclass(frozen=True, slots=True)
class Windowing:
    """How a file is cut into windows, and what of a window is looked at.

    A :class:`avpipe.features.Preprocessor` has one, and an exported graph carries it as plain data.
    """

    window_sec: float
    hop_sec: float
    format: ClipFormat
    frame_sec: Mapping[str, float] = field(default_factory=dict)
    """Seconds from one place of a sense's time axis to the next; 0: as far apart as frames are in the film."""
    crops: Crops | None = None
    """None: pictures are seen whole."""
    mouth: MouthCut | None = None
    """None: nothing is cut out of pictures."""
    window_frames: int | None = None
    """Of windows that are counted in frames; None: windows are counted in seconds."""
    context_frames: int = 0
    """Of such windows, at either end."""

    @property
    def settings(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """What :attr:`settings` gave, also after it was written as JSON."""
        size = settings["format"]["size_px"]
        picture = {"size_px": tuple(size) if isinstance(size, list) else size}
        crops, mouth = settings["crops"], settings["mouth"]
        parts = {
            "format": ClipFormat(**{**settings["format"], **picture}),
            "crops": Crops(**crops) if crops else None,
            "mouth": MouthCut(**{**mouth, "box": tuple(mouth["box"])}) if mouth else None,
        }
        return cls(**{**settings, **parts})

    @property
    def overlap_sec(self) -> float:
        """Of two windows."""
        return self.window_sec - self.hop_sec

    @property
    def counts_frames(self) -> bool:
        """Whether windows are counted in frames: they are as long as they are, and have no padding."""
        return self.window_frames is not None

    @property
    def plan(self) -> WindowPlan:
        """The windows of a whole file."""
        return WindowPlan(self.window_sec, self.hop_sec, self.format)

    @property
    def wants_boxes(self) -> bool:
        """Whether :meth:`cut` looks where the boxes of a film are."""
        return self.mouth is not None

    def cut(self, clip: Clip, boxes: BoxTrack | None) -> Clip:
        """The clip with what is looked at in place of its whole pictures, before anything is drawn or made of it.

        Args:
            clip: as it was decoded.
            boxes: of the film, where they are known.

        Raises:
            UnreadableMedia: a box lies outside the picture.
        """
        return self.mouth(clip, boxes) if self.mouth is not None else clip

    def edge_sec(self, silence_sec: float) -> float:
        """Of silence that belongs at a recording's edges: none where pictures are seen, which would be late for it."""
        return 0.0 if self.format.video else silence_sec

    def cutter(self) -> FrameWindows | None:
        """What makes the windows that a network sees of the clips of :attr:`plan`, file by file; None: they are it."""
        return None if self.window_frames is None else FrameWindows(self.window_frames, self.context_frames)

    def arrays(self, clip: Clip) -> Arrays:
        """The clip's waveform and frames, of the senses that are wanted and that it has."""
        found = {}
        if self.format.audio and clip.waveform is not None and clip.waveform.shape[1]:
            if clip.sample_rate != self.format.sample_rate:
                raise ValueError(f"a clip of {clip.sample_rate} Hz for features of {self.format.sample_rate} Hz")
            found["waveform"] = clip.waveform
        if self.format.video and clip.frames is not None and len(clip.frames):
            found["frames"] = clip.frames
        return found

    def views(self, clip: Clip) -> list[Arrays]:
        """What prediction averages over: the arrays of a clip, once for each crop of its pictures."""
        arrays = self.arrays(clip)
        if self.crops is None or "frames" not in arrays:
            return [arrays]
        return [{**arrays, "frames": crop} for crop in self.crops.views(arrays["frames"])]


def cut_anew(clips: Iterable[tuple[int, Clip]], windowings: Sequence[Windowing]) -> Iterator[tuple[int, Clip]]:
    """The windows that networks see of a file: its clips, and those made of them where every frame is seen.

    Args:
        clips: of the plans of all ``windowings``, each with the place of its plan, as they are streamed.
        windowings: by those places.
    """
    cutters = {place: cutter for place, each in enumerate(windowings) if (cutter := each.cutter()) is not None}
    for place, clip in clips:
        if place in cutters:
            yield from ((place, window) for window in cutters[place].add(clip))
        else:
            yield place, clip
    for place, cutter in cutters.items():
        yield from ((place, window) for window in cutter.rest())
