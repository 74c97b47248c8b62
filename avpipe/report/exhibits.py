"""Answers to be looked at and listened to: the worst errors, and what spoke for an answer."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avpipe.errors import AvpipeError
from avpipe.features import Features, Preprocessor
from avpipe.media import Clip, read_clip, stream_clips
from avpipe.report.answers import ScoredAnswer
from avpipe.report.images import SOUND_HZ, heated_pixels, jpeg_uri, mel_pixels, sound_uri, strip_pixels

MAX_EXHIBITS = 8
MAX_SOUND_SEC = 6.0

EVEN = 0.85
"""Mean of a map, whose greatest value is 1, above which it singles out no place."""

Heat = Callable[[Features, str], Mapping[str, np.ndarray]]
"""What of a window's features spoke for a label, by sense, in [0, 1].

Shape:
    "audio": (n_mels, frames). "video": (T, H, W).
"""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """An answer with what the network saw and heard."""

    answer: ScoredAnswer
    pictures: tuple[tuple[str, str], ...] = ()
    """(data URI, what it shows) each."""
    sound: str = ""
    """A data URI; empty where the network does not listen, or nothing can be heard."""
    trouble: str = ""
    """Why the example can no longer be shown."""


def worst_errors(
    answers: Sequence[ScoredAnswer], preprocessor: Preprocessor | None, limit: int = MAX_EXHIBITS
) -> list[Exhibit]:
    """The most confident of the wrong answers that were given; a refusal is none.

    Only these files are read, each its first window and at most MAX_SOUND_SEC of sound.
    """
    wrong = [answer for answer in answers if not answer.refused and answer.label != answer.target]
    wrong.sort(key=lambda answer: (-answer.confidence, answer.name, answer.start_sec))
    # The caller's own may be on another device.
    ours = None if preprocessor is None else copy.deepcopy(preprocessor).cpu()
    return [_exhibit(answer, ours) for answer in wrong[:limit]]


def explained(answers: Sequence[ScoredAnswer], preprocessor: Preprocessor, heat: Heat, count: int) -> list[Exhibit]:
    """The most confident of the wrong answers, then of the right ones, ``count`` each, with what spoke for them."""
    ranked = sorted(answers, key=lambda answer: (-answer.confidence, answer.name, answer.start_sec))
    wrong, right = ([answer for answer in ranked if answer.correct is each][:count] for each in (False, True))
    return [_exhibit(answer, preprocessor, heat) for answer in (*wrong, *right)]


def _exhibit(answer: ScoredAnswer, preprocessor: Preprocessor | None, heat: Heat | None = None) -> Exhibit:
    if preprocessor is None:
        return Exhibit(answer)
    try:
        with stream_clips(answer.path, [preprocessor.windowing.plan], answer.start_sec, answer.end_sec) as clips:
            _, clip = next(clips)
        features = preprocessor(clip)
        pictures = _pictures(clip, preprocessor, features, {} if heat is None else heat(features, answer.best))
        sound = _sound(answer) if clip.waveform is not None else ""
    except AvpipeError as error:
        return Exhibit(answer, trouble=f"cannot be shown: {error.reason}")
    # The page is worth more than one picture in it: whatever a changed file does to the features is told in its place.
    except (OSError, ValueError, RuntimeError) as error:
        return Exhibit(answer, trouble=f"cannot be shown: {error}")
    return Exhibit(answer, pictures, sound, "" if pictures else "cannot be shown: nothing is left in this stretch")


def _pictures(
    clip: Clip, preprocessor: Preprocessor, features: Features, maps: Mapping[str, np.ndarray]
) -> tuple[tuple[str, str], ...]:
    """What the network is given of the first window; and below it the same, warm where it spoke for the answer."""
    pictures = []
    if "audio" in features:
        mel = features["audio"][0].numpy()
        seconds = clip.waveform.shape[1] / clip.sample_rate if clip.waveform is not None and clip.sample_rate else 0.0
        told = f"Log-mel spectrogram, {mel.shape[0]} bands, {clip.start_sec:.1f} to {clip.start_sec + seconds:.1f} s"
        pixels = mel_pixels(mel)
        pictures.append((jpeg_uri(pixels), told))
        if "audio" in maps:
            (warm,) = heated_pixels(pixels[None], maps["audio"][None, ::-1])
            pictures.append((jpeg_uri(warm), f"{told}; {_in_words(maps['audio'])}"))
    if "video" in features and preprocessor.video is not None:
        frames = preprocessor.video.pictures(features["video"]).numpy()
        end_sec = clip.start_sec + preprocessor.window_sec
        told = f"{min(6, len(frames))} of {len(frames)} frames, {clip.start_sec:.1f} to {end_sec:.1f} s"
        pictures.append((jpeg_uri(strip_pixels(frames)), told))
        if "video" in maps:
            warm = strip_pixels(heated_pixels(frames, maps["video"]))
            pictures.append((jpeg_uri(warm), f"{told}; {_in_words(maps['video'])}"))
    return tuple(pictures)


def _in_words(heat: np.ndarray) -> str:
    if not heat.any():
        return "grey all over: nothing spoke for the answer"
    if heat.mean() > EVEN:
        return "nearly even: no place stands out"
    return "warm: what spoke for the answer"


def _sound(answer: ScoredAnswer) -> str:
    asked = MAX_SOUND_SEC if answer.end_sec is None else min(MAX_SOUND_SEC, answer.end_sec - answer.start_sec)
    clip = read_clip(answer.path, answer.start_sec, asked, sample_rate=SOUND_HZ, mono=True)
    return "" if clip.waveform is None else sound_uri(clip.waveform)
