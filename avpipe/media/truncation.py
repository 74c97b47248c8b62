"""Telling from a file's own framing that its end is missing, or not reached, where no decoder says so."""

from pathlib import Path

OGG_PAGE_HEADER_BYTES = 27
OGG_LARGEST_PAGE_BYTES = OGG_PAGE_HEADER_BYTES + 255 + 255 * 255
RIFF_PLACEHOLDER_BYTES = 0x7FFF_0000
"""Sizes from here on are what programs write that do not know the size yet."""
RF64_SIZE_ELSEWHERE = 0xFFFF_FFFF
"""Of an RF64's samples: the true one stands in 64 bits in the chunk before."""


def is_cut_short(path: Path) -> bool:
    """Whether a RIFF file (wav, avi) is shorter than it says, or an Ogg file ends inside a page."""
    with open(path, "rb", buffering=0) as file:
        head = file.read(8)
        file_bytes = file.seek(0, 2)
        if head[:4] == b"RIFF":
            size = int.from_bytes(head[4:8], "little")
            return 0 < size < RIFF_PLACEHOLDER_BYTES and size + 8 > file_bytes + 1  # some leave out the last pad byte
        if head[:4] == b"OggS":
            file.seek(max(0, file_bytes - OGG_LARGEST_PAGE_BYTES))
            return not _ends_with_page(file.read())
    return False


def wav_header_samples(path: Path) -> int:
    """How many samples per channel a wav's header says it holds; 0 where it does not say."""
    with path.open("rb") as file:
        file.seek(12)
        sample_bytes = long_size = 0
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                known = long_size if size == RF64_SIZE_ELSEWHERE else size if size < RIFF_PLACEHOLDER_BYTES else 0
                return known // sample_bytes if sample_bytes else 0
            if head[:4] == b"ds64":
                long_size = int.from_bytes(file.read(16)[8:], "little")
                size -= 16
            if head[:4] == b"fmt ":
                sample_bytes = int.from_bytes(file.read(14)[12:14], "little")
                size -= 14
            file.seek(size + size % 2, 1)
    return 0


def bytes_behind(path: Path) -> int:
    """How many bytes of an MP4 lie behind its film, where another was put behind it: FFmpeg reads none of them.

    Of films in fragments, which are made to be put end to end, none.
    """
    place, has_header = 0, False
    with open(path, "rb", buffering=0) as file:
        file_bytes = file.seek(0, 2)
        while place + 8 <= file_bytes:
            file.seek(place)
            head = file.read(16)
            size, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if kind == b"ftyp" and has_header:
                return file_bytes - place
            has_header = has_header or kind == b"moov"
            size = int.from_bytes(head[8:], "big") if size == 1 else size
            if size < 8 or kind == b"moof" or (place == 0 and kind != b"ftyp"):
                break
            place += size
    return 0


def _ends_with_page(tail: bytes) -> bool:
    """Whether the last Ogg page in ``tail`` is all there."""
    start = tail.rfind(b"OggS\0")
    if start < 0 or len(tail) < start + OGG_PAGE_HEADER_BYTES:
        return False
    body = start + OGG_PAGE_HEADER_BYTES
    segments = tail[body : body + tail[body - 1]]
    return len(segments) == tail[body - 1] and len(tail) >= body + len(segments) + sum(segments)
