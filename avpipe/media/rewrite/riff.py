"""What a wav or aiff holds besides sound: titles, broadcast data, cue points, the places of its channels."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

NOT_COPIED = frozenset((b"fmt ", b"data", b"fact", b"PEAK", b"ds64", b"JUNK", b"junk", b"PAD ", b"FLLR"))
"""Chunks that tell of the samples, or are filling."""

UNKNOWN_SIZE = 0xFFFF_FFFF

EXTENSIBLE_FORMAT_BYTES = 40

COPIED_AT_ONCE = 1 << 20

HEAD_BYTES = 4096
"""Among which libsndfile writes all chunks that precede the samples."""


def copy_extras(source: Path, destination: Path) -> None:
    """Copy the chunks of one wav (RIFF or RF64) that are no sound to the end of another, and its channel places."""
    with source.open("rb") as old, destination.open("r+b") as new:
        if old.read(4) not in (b"RIFF", b"RF64"):
            return
        _copy_channel_mask(old, new)
        end = new.seek(0, 2)
        for name, start, size in list(_chunks(old)):
            if name not in NOT_COPIED:
                new.write(name + size.to_bytes(4, "little"))
                _copy(old, new, start, size)
                new.write(b"\0" * (size % 2))
        if new.tell() != end:
            _write_size(new, new.tell() - 8)


def forget_moment(path: Path) -> None:
    """Take out when a file of floats was written, which libsndfile notes: the same sound is to give the same bytes."""
    with path.open("r+b") as file:
        head = file.read(HEAD_BYTES)
        place = head.find(b"PEAK")
        samples = max(head.find(b"data"), head.find(b"SSND"))
        if 0 <= place < samples:
            file.seek(place + 12)  # behind name, size and version
            file.write(bytes(4))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(name, place of the content, its size) of each chunk that is whole."""
    file_bytes = file.seek(0, 2)
    place, long_size = 12, UNKNOWN_SIZE
    while place + 8 <= file_bytes:
        file.seek(place)
        head = file.read(8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        if head[:4] == b"data" and size == UNKNOWN_SIZE:
            size = long_size
        if place + 8 + size > file_bytes:
            return
        yield head[:4], place + 8, size
        place += 8 + size + size % 2


def _copy(old: BinaryIO, new: BinaryIO, start: int, size: int) -> None:
    old.seek(start)
    while size:
        piece = old.read(min(size, COPIED_AT_ONCE))
        new.write(piece)
        size -= len(piece)


def _copy_channel_mask(old: BinaryIO, new: BinaryIO) -> None:
    """Libsndfile writes the usual places for so many channels, whatever the file said."""
    formats = [
        next(((start, size) for name, start, size in _chunks(file) if name == b"fmt "), (0, 0)) for file in (old, new)
    ]
    if all(size >= EXTENSIBLE_FORMAT_BYTES for _, size in formats):
        (old_start, _), (new_start, _) = formats
        old.seek(old_start + 20)
        mask = old.read(4)
        new.seek(new_start + 20)
        new.write(mask)


def _write_size(file: BinaryIO, size: int) -> None:
    file.seek(0)
    if file.read(4) == b"RF64":
        file.seek(20)  # in the chunk ds64, which comes first
        file.write(size.to_bytes(8, "little"))
    else:
        file.write(size.to_bytes(4, "little"))
