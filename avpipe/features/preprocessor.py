"""All that a network takes of a clip."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.features.batch import TIME_AXIS, Features
from avpipe.features.frame_windows import FrameWindows
from avpipe.features.frames import EveryFrame, FrameStack
from avpipe.features.mouth import MouthStack
from avpipe.features.sound import LogMel, Waveform
from avpipe.media import BoxTrack, Clip, ClipFormat, WindowPlan


class Preprocessor(nn.Module):
    """From a clip to features; the data module and the predictor use it, and nothing else makes features.

    Args:
        window_sec: length of the windows that a network sees, in seconds; a shorter file is one padded window. Where
            every frame is seen, so much is decoded at a time, and what :meth:`cutter` makes cuts it anew.
        hop_sec: distance between the starts of two windows, in seconds; as ``window_sec`` where every frame is seen.
        audio: from sound to features; None where the network does not listen.
        video: from frames to features; None where the network does not look.
        waveform: the sound itself; None where the network does not filter it.
    """

    def __init__(
        self,
        window_sec: float,
        hop_sec: float,
        audio: LogMel | None = None,
        video: FrameStack | EveryFrame | None = None,
        waveform: Waveform | None = None,
    ) -> None:
        super().__init__()
        if audio is None and video is None and waveform is None:
            raise ValueError("a preprocessor needs audio, video or waveform")
        if audio is not None and waveform is not None and audio.sample_rate != waveform.sample_rate:
            raise ValueError(f"audio of {audio.sample_rate} Hz beside a waveform of {waveform.sample_rate} Hz")
        if not 0 < hop_sec <= window_sec:
            raise ValueError(f"hop_sec={hop_sec} must lie above 0 and at or below window_sec={window_sec}: give both")
        if isinstance(video, EveryFrame) and (audio or waveform or hop_sec != window_sec):
            raise ValueError("every frame is seen alone, and windows in seconds do not overlap")
        self.window_sec = window_sec
        self.hop_sec = hop_sec
        self.audio = audio
        self.video = video
        self.waveform = waveform

    @property
    def overlap_sec(self) -> float:
        """Of two windows."""
        return self.window_sec - self.hop_sec

    @property
    def senses(self) -> tuple[str, ...]:
        return tuple(sense for sense in TIME_AXIS if sense in self._makers)

    @property
    def counts_frames(self) -> bool:
        """Whether windows are counted in frames: they are as long as they are, and have no padding."""
        return isinstance(self.video, EveryFrame)

    @property
    def clip_format(self) -> ClipFormat:
        """What the decoder has to deliver."""
        heard = self.audio or self.waveform
        sound = heard.clip_format if heard else ClipFormat(audio=False)
        picture = self.video.clip_format if self.video else ClipFormat(audio=False)
        return ClipFormat(
            audio=sound.audio,
            video=picture.video,
            sample_rate=sound.sample_rate,
            mono=sound.mono,
            size_px=picture.size_px,
            stride_sec=picture.stride_sec,
        )

    @property
    def plan(self) -> WindowPlan:
        """The windows of a whole file."""
        return WindowPlan(self.window_sec, self.hop_sec, self.clip_format)

    @property
    def window_steps(self) -> dict[str, int]:
        """Length of each sense's time axis in a full window, to which :func:`avpipe.features.collate` pads."""
        steps = {sense: module.num_steps(self.window_sec) for sense, module in self._makers.items()}
        return {**steps, "frame_labels": steps["video"]} if self.counts_frames else steps

    @property
    def wants_boxes(self) -> bool:
        """Whether :meth:`cut` looks where the boxes of a film are."""
        return isinstance(self.video, MouthStack)

    def cut(self, clip: Clip, boxes: BoxTrack | None) -> Clip:
        """The clip with what is looked at in place of its whole pictures, before anything is drawn or made of it.

        Args:
            clip: as it was decoded.
            boxes: of the film, where they are known.

        Raises:
            UnreadableMedia: a box lies outside the picture.
        """
        return self.video.cut(clip, boxes) if isinstance(self.video, MouthStack) else clip

    @property
    def cut_settings(self) -> dict[str, Any]:
        """What :meth:`cut` depends on besides the clip and its boxes, as plain data."""
        if not isinstance(self.video, MouthStack):
            return {}
        return {"size_px": self.video.size_px, "box": list(self.video.box)}

    def edge_sec(self, silence_sec: float) -> float:
        """Of silence that belongs at a recording's edges: none where pictures are seen, which would be late for it."""
        return 0.0 if self.video is not None else silence_sec

    def num_steps(self, sense: str, duration_sec: float) -> int:
        """Length of a sense's time axis after so many seconds."""
        return self._makers[sense].num_steps(duration_sec)

    def frame_sec(self, sense: str) -> float:
        """Seconds from one place of a sense's time axis to the next."""
        return self._makers[sense].frame_sec

    @property
    def _makers(self) -> dict[str, LogMel | FrameStack | EveryFrame | Waveform]:
        modules = {"audio": self.audio, "video": self.video, "waveform": self.waveform}
        return {sense: module for sense, module in modules.items() if module is not None}

    def cutter(self) -> FrameWindows | None:
        """What makes the windows that a network sees of the clips of :attr:`plan`, file by file; None: they are it."""
        if not isinstance(self.video, EveryFrame):
            return None
        return FrameWindows(self.video.window_frames, self.video.context_frames)

    def forward(self, clip: Clip) -> Features:
        """The features of the senses that the clip has; a sense that it lacks is absent."""
        features = self.from_tensors(*self.tensors(clip))
        if clip.frame_labels is not None:
            features["frame_labels"] = torch.from_numpy(clip.frame_labels)
        return features

    def views(self, clip: Clip) -> list[Features]:
        """What prediction averages over: the features of a clip, once for each crop of its pictures."""
        waveform, frames = self.tensors(clip)
        heard = self.from_tensors(waveform, None)
        if self.video is None or frames is None:
            return [heard]
        return [{**heard, "video": view} for view in self.video.views(frames)]

    def tensors(self, clip: Clip) -> tuple[Tensor | None, Tensor | None]:
        """The clip's waveform and frames, of the senses that are made features of."""
        waveform = frames = None
        heard = self.audio or self.waveform
        if heard is not None and clip.waveform is not None and clip.waveform.shape[1]:
            if clip.sample_rate != heard.sample_rate:
                raise ValueError(f"a clip of {clip.sample_rate} Hz for features of {heard.sample_rate} Hz")
            waveform = torch.from_numpy(np.require(clip.waveform, requirements="W"))
        if self.video is not None and clip.frames is not None and len(clip.frames):
            frames = torch.from_numpy(np.require(clip.frames, requirements="W"))
        return waveform, frames

    def from_tensors(self, waveform: Tensor | None, frames: Tensor | None) -> Features:
        """The features of what :meth:`tensors` returned, on any device.

        Shape:
            waveform: (channels, samples). frames: (T, H, W, 3), uint8.
        """
        features: Features = {}
        if self.audio is not None and waveform is not None:
            features["audio"] = self.audio(waveform)
        if self.video is not None and frames is not None:
            features["video"] = self.video(frames)
        if self.waveform is not None and waveform is not None:
            features["waveform"] = self.waveform(waveform)
        return features


def cut_anew(clips: Iterable[tuple[int, Clip]], preprocessors: Sequence[Preprocessor]) -> Iterator[tuple[int, Clip]]:
    """The windows that networks see of a file: its clips, and those made of them where every frame is seen.

    Args:
        clips: of the plans of all ``preprocessors``, each with the place of its plan, as they are streamed.
        preprocessors: by those places.
    """
    cutters = {place: cutter for place, each in enumerate(preprocessors) if (cutter := each.cutter()) is not None}
    for place, clip in clips:
        if place in cutters:
            yield from ((place, window) for window in cutters[place].add(clip))
        else:
            yield place, clip
    for place, cutter in cutters.items():
        yield from ((place, window) for window in cutter.rest())
