"""What is drawn hangs on its key alone: equal on every machine and with every version of every library."""

import hashlib

import numpy as np


def uniform(*key: object) -> float:
    """A number in [0, 1)."""
    return (int.from_bytes(digest(*key)[:8]) >> 11) / 2**53


def white_noise(length: int, *key: object) -> np.ndarray:
    """Bell-shaped whole numbers from -510 to 510, independent of one another.

    Shape:
        returns (length,), float64.
    """
    drawn = np.frombuffer(hashlib.shake_256(_text(key)).digest(4 * length), dtype=np.uint8).reshape(length, 4)
    return drawn.sum(axis=1).astype(np.float64) - 510.0


def digest(*key: object) -> bytes:
    """32 bytes, to sort by."""
    return hashlib.sha256(_text(key)).digest()


def _text(key: tuple[object, ...]) -> bytes:
    return "\t".join(map(str, key)).encode(errors="surrogateescape")
