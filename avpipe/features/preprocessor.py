"""All that a network takes of a clip."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.features.batch import TIME_AXIS, Features
from avpipe.features.frames import EveryFrame, FrameStack
from avpipe.features.mouth import MouthStack
from avpipe.features.sound import LogMel, Waveform
from avpipe.media import Clip, ClipFormat
from avpipe.threads import single_threaded
from avpipe.windowing import Arrays, Crops, Windowing


class Preprocessor(nn.Module):
    """From a clip to features; the data module and the predictor use it, and nothing else makes features.

    Args:
        window_sec: length of the windows that a network sees, in seconds; a shorter file is one padded window. Where
            every frame is seen, so much is decoded at a time, and what :attr:`windowing` has cuts it anew.
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
    def senses(self) -> tuple[str, ...]:
        return tuple(sense for sense in TIME_AXIS if sense in self._makers)

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
    def windowing(self) -> Windowing:
        """How a file is cut into windows for it."""
        video = self.video
        return Windowing(
            self.window_sec,
            self.hop_sec,
            self.clip_format,
            {sense: module.frame_sec for sense, module in self._makers.items()},
            Crops(video.crop_px, video.crops) if isinstance(video, FrameStack) else None,
            video.mouth_cut if isinstance(video, MouthStack) else None,
            video.window_frames if isinstance(video, EveryFrame) else None,
            video.context_frames if isinstance(video, EveryFrame) else 0,
        )

    @property
    def window_steps(self) -> dict[str, int]:
        """Length of each sense's time axis in a full window, to which :func:`avpipe.features.collate` pads."""
        steps = {sense: module.num_steps(self.window_sec) for sense, module in self._makers.items()}
        return {**steps, "frame_labels": steps["video"]} if isinstance(self.video, EveryFrame) else steps

    @property
    def cut_settings(self) -> dict[str, Any]:
        """What :meth:`avpipe.windowing.Windowing.cut` depends on besides the clip and its boxes, as plain data."""
        if not isinstance(self.video, MouthStack):
            return {}
        return {"size_px": self.video.size_px, "box": list(self.video.box)}

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

    def forward(self, clip: Clip) -> Features:
        """The features of the senses that the clip has; a sense that it lacks is absent."""
        features = self.from_tensors(*self.tensors(clip))
        if clip.frame_labels is not None:
            features["frame_labels"] = torch.from_numpy(clip.frame_labels)
        return features

    def made(self, arrays: Arrays) -> Arrays:
        """The features of the arrays of a window, as arrays, on one thread."""
        with single_threaded():
            features = self.from_tensors(*(_tensor(arrays.get(name)) for name in ("waveform", "frames")))
        return {sense: value.numpy() for sense, value in features.items()}

    def tensors(self, clip: Clip) -> tuple[Tensor | None, Tensor | None]:
        """The clip's waveform and frames, of the senses that are made features of."""
        arrays = self.windowing.arrays(clip)
        return _tensor(arrays.get("waveform")), _tensor(arrays.get("frames"))

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


def _tensor(array: np.ndarray | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(np.require(array, requirements="W"))
