"""Pictures and sounds as text, so that they stand in the page itself."""

import base64
import io
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from avpipe.media import UnwritableMedia, write_audio

_MAGMA = "00000309071f1a10413010654a107961187f792281912a80a9327cc23a75d9466aec585ff7715bfc8e63feaa74fec689fde1a3fbfcbf"
"""Every fifteenth colour of matplotlib's map of that name, red, green and blue in hexadecimal digits."""

MAX_COLUMNS = 600
"""A mel picture is no wider; neighbouring frames are averaged."""

FRAME_PX = 128
"""Frames of a strip are no wider."""

SOUND_HZ = 16_000
SOUND_BITS_PER_SEC = 32_000
"""MP3 because every browser plays it, and at this rate its bytes are the same each time."""


def data_uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def jpeg_uri(pixels: np.ndarray) -> str:
    """
    Shape:
        pixels: (H, W, 3), uint8.
    """
    return data_uri(jpeg_bytes(pixels), "image/jpeg")


def jpeg_bytes(pixels: np.ndarray) -> bytes:
    """
    Shape:
        pixels: (H, W, 3), uint8.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "jpeg", quality=82, subsampling=0)
    return buffer.getvalue()


def mel_pixels(mel: np.ndarray, max_columns: int = MAX_COLUMNS) -> np.ndarray:
    """A log-mel picture, low bands at the bottom; its darkest and brightest hundredth are cut off.

    Shape:
        mel: (n_mels, frames), any scale; returns (n_mels, at most max_columns, 3), uint8.
    """
    columns = min(mel.shape[1], max_columns)
    cuts = np.linspace(0, mel.shape[1], columns + 1).astype(int)
    mel = np.nan_to_num(np.add.reduceat(mel, cuts[:-1], axis=1) / np.diff(cuts))
    low, high = np.percentile(mel, (1, 99))
    scaled = np.clip((mel - low) / max(high - low, 1e-6), 0, 1)
    return _magma()[np.minimum(256 * scaled[::-1], 255).astype(np.uint8)]


@cache
def _magma() -> np.ndarray:
    """Colours from dark to bright, for those who do not wait for matplotlib.

    Shape:
        returns (256, 3), uint8.
    """
    known = np.frombuffer(bytes.fromhex(_MAGMA), np.uint8).reshape(-1, 3)
    places = np.linspace(0, 255, len(known))
    return np.stack([np.interp(np.arange(256), places, channel) for channel in known.T], 1).round().astype(np.uint8)


def strip_pixels(frames: np.ndarray, count: int = 6) -> np.ndarray:
    """Frames at even distances, side by side.

    Shape:
        frames: (T, H, W, 3), uint8; returns (h, count * w, 3), uint8, with w at most FRAME_PX.
    """
    chosen = frames[np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)]
    step = -(-chosen.shape[2] // FRAME_PX)
    height, width = (side // step * step for side in chosen.shape[1:3])
    blocks = chosen[:, :height, :width].reshape(len(chosen), height // step, step, width // step, step, 3)
    return np.concatenate(list(blocks.mean(axis=(2, 4)).round().astype(np.uint8)), axis=1)


def heated_pixels(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Pictures in grey, coloured where there is heat: the more, the brighter.

    Shape:
        pixels: (N, H, W, 3), uint8; heat: (N, h, w), in [0, 1]; returns (N, H, W, 3), uint8.
    """
    places = [np.arange(side) * have // side for side, have in zip(pixels.shape[1:3], heat.shape[1:3], strict=True)]
    heat = heat[:, places[0]][:, :, places[1]]
    grey = (pixels @ np.array([0.299, 0.587, 0.114]))[..., np.newaxis]
    import matplotlib  # the one picture here that needs it

    colours = np.asarray(matplotlib.colormaps["inferno"](heat, bytes=True))[..., :3]
    share = 0.75 * heat[..., np.newaxis]
    return np.asarray((1.0 - share) * grey + share * colours).round().astype(np.uint8)


def sound_uri(waveform: np.ndarray) -> str:
    """Sound for a player: MP3, or wav where this FFmpeg cannot write it.

    Shape:
        waveform: (1, samples) at SOUND_HZ, float32 in [-1, 1].
    """
    with tempfile.TemporaryDirectory(prefix="avpipe-report-") as folder:
        path = Path(folder) / "sound.mp3"
        try:
            write_audio(path, waveform, SOUND_HZ, bit_rate=SOUND_BITS_PER_SEC)
            return data_uri(path.read_bytes(), "audio/mpeg")
        except UnwritableMedia:
            path = path.with_suffix(".wav")
            write_audio(path, waveform, SOUND_HZ, subtype="PCM_16")
            return data_uri(path.read_bytes(), "audio/wav")
