"""Knowing recordings by what they sound and look like, not by their bytes."""

import hashlib
from pathlib import Path

from avpipe.media.clip import ClipFormat, WindowPlan
from avpipe.media.errors import NoSuchStream
from avpipe.media.stream import ClipStream, stream_clips

HASH_WINDOW_SEC = 1.0


def decoded_sha256(path: Path, start_sec: float = 0.0, end_sec: float | None = None) -> str:
    """SHA-256 of the decoded samples (own rate, all channels) and frames (own size) of a stretch, in hexadecimal.

    Files of other bytes (retagged, renamed, put into another container without loss) but equal content have equal
    hashes. Sound and picture each count whole, so how a file interleaves them does not matter.

    Raises: what ``stream_clips`` raises.
    """
    digests = [
        digest
        for audio in (True, False)
        if (digest := _sense_digest(Path(path), audio, start_sec, end_sec)) is not None
    ]
    if not digests:
        raise NoSuchStream(path, "has neither sound nor picture", "give a recording")
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _sense_digest(path: Path, audio: bool, start_sec: float, end_sec: float | None) -> bytes | None:
    """Digest of one sense; None where the file has it not."""
    plan = WindowPlan(HASH_WINDOW_SEC, HASH_WINDOW_SEC, ClipFormat(audio=audio, video=not audio))
    try:
        with stream_clips(path, [plan], start_sec, end_sec) as clips:
            return _digest_of(clips)
    except NoSuchStream:
        return None


def _digest_of(clips: ClipStream) -> bytes:
    digest = hashlib.sha256()
    described = False
    for _, clip in clips:
        values = clip.waveform if clip.waveform is not None else clip.frames
        if values is None:
            continue
        if not described:
            described = True
            form = clip.sample_rate, len(values) if clip.waveform is not None else values.shape[1:]
            digest.update(repr(form).encode())
        # Samples first: so that where windows were cut leaves no trace in the digest.
        digest.update((values.T if clip.waveform is not None else values).tobytes())
    return digest.digest()
