"""``bundle.json`` and ``card.md``: what a bundle says of itself, to programs and to people."""

import hashlib
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from avpipe.bundle.errors import BundleError
from avpipe.config import Spec
from avpipe.files import sha256_of, write_text

FORMAT = 1
MANIFEST = "bundle.json"
MODEL = "model.safetensors"
GOLDEN = "golden.safetensors"
CARD = "card.md"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a bundle comes from."""

    task: str
    label: str
    """What of the corpus the bundle says: emotion, digit, speaker, ..."""
    corpus: str
    licence: str
    """Of the recordings it learned from."""
    seed: int
    split: Mapping[str, Any]
    """Settings of the split, as :func:`avpipe.corpora.make_split` takes them."""
    split_sha256: str
    command: str
    metrics: Mapping[str, float]
    """On the corpus's own test part; empty until measured."""
    corpus_settings: Mapping[str, Any] = field(default_factory=dict)
    """What was chosen of the corpus, such as its sentences; no folders. ``about`` is told at the card's end."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of ``bundle.json``."""

    specs: Mapping[str, Spec]
    """For ``preprocessor``, ``network`` and ``objective``."""
    origin: Origin
    sha256: Mapping[str, str]
    """Of the bundle's other files, by name."""

    @property
    def digest(self) -> str:
        """SHA-256 of what determines answers: specifications and weights, not the card."""
        return _sha256_of_content({"specs": self.specs, "model": self.sha256[MODEL]})


def read_manifest(folder: Path) -> Manifest:
    """Read ``bundle.json`` and check it against its own hash.

    Raises:
        BundleError: if it is missing, changed, or of another format.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("content_sha256") != _sha256_of_content(content):
            raise BundleError(path, "changed since the bundle was saved", "copy the bundle again")
        if content["format"] != FORMAT:
            raise BundleError(path, f"bundle format {content['format']}, and this avpipe reads {FORMAT}")
        if set(content["sha256"]) != {MODEL, GOLDEN, CARD}:
            raise BundleError(path, "does not vouch for every file of the bundle", "copy the bundle again")
        return Manifest(content["specs"], Origin(**content["origin"]), content["sha256"])
    except OSError as error:
        raise BundleError(path, str(error.strerror), "name the folder of a bundle") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(path, "not the manifest of a bundle", "copy the bundle again") from error


def write_manifest(folder: Path, specs: Mapping[str, Spec], origin: Origin) -> None:
    """Write the card, then ``bundle.json`` with the hashes of the files that stand in ``folder``."""
    write_text(folder / CARD, "\n".join(_card_lines(specs, origin)) + "\n")
    content = {
        "format": FORMAT,
        "avpipe_version": version("avpipe"),
        "specs": specs,
        "origin": {name: getattr(origin, name) for name in Origin.__slots__},
        "sha256": {name: sha256_of(folder / name) for name in (MODEL, GOLDEN, CARD)},
    }
    content["content_sha256"] = _sha256_of_content(content)
    write_text(folder / MANIFEST, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _sha256_of_content(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _told(split: Mapping[str, Any]) -> str:
    if "learned_groups" in split:
        return f"all of {split['learned_corpus']} was learned from, each recording by most of the networks"
    return f"fold {split['fold'] + 1} of cv={split['cv']}" if "cv" in split else f"by {split['by']}"


def _card_lines(specs: Mapping[str, Spec], origin: Origin) -> Iterator[str]:
    yield f"# {origin.task}, learned from {origin.corpus}"
    yield ""
    labels = specs["objective"].get("labels", ())
    if "units" in specs["objective"]:
        yield f"Writes down what is said, in {len(specs['objective']['units'])} units: {_units(specs['objective'])}."
    elif labels:
        yield f"Says the {origin.label}, one of {len(labels)}: {', '.join(labels)}."
    elif "voices" in specs["objective"]:
        count = len(specs["objective"]["voices"])
        yield f"Tells voices apart, by vectors near to those of the same voice; learned from {count} voices."
    elif _seen_frames(specs):
        yield "Finds the shots of a film: cuts, and gradual transitions (fades, dissolves, wipes), by times of frames."
    elif "low" in specs["objective"]:
        yield f"Says the {origin.label}, a number from {specs['objective']['low']} to {specs['objective']['high']}."
    else:
        yield f"Leaves the {origin.label} of a sound and takes the rest out: for `avpipe denoise bundle=DIR`."
    yield ""
    yield f"- Made by `{origin.command}` with avpipe {version('avpipe')}, seed {origin.seed}."
    if chosen := [f"{name} {value}" for name, value in origin.corpus_settings.items() if name != "about"]:
        yield f"- Of {origin.corpus}: {', '.join(chosen)}."
    yield f"- Split: {_told(origin.split)}; SHA-256 `{origin.split_sha256}`."
    yield f"- Licence of the recordings, which the weights carry: {origin.licence}."
    window_sec, hop_sec = (specs["preprocessor"][name] for name in ("window_sec", "hop_sec"))
    is_filter = "waveform" in specs["preprocessor"]
    if seen := _seen_frames(specs):
        size, frames = f"{seen['width_px']}x{seen['height_px']}", seen["window_frames"]
        every = frames - 2 * seen["context_frames"]
        yield f"- Sees every frame at {size} pixels, in windows of {frames} frames, every {every} frames."
    elif is_filter:
        yield f"- Learned on windows of {window_sec} s."
    else:
        yield f"- Windows of {window_sec} s, every {hop_sec} s."
    if origin.metrics:
        yield ""
        held_out = "its own held-out fold, each network alone"
        yield f"| metric on {held_out if 'learned_groups' in origin.split else 'the test part'} | value |"
        yield "|---|---|"
        for name, value in origin.metrics.items():
            yield f"| {name} | {value:.4f} |"
    yield ""
    if _seen_frames(specs):
        yield from _FILM_LINES
        return
    if about := origin.corpus_settings.get("about"):
        yield from textwrap.wrap(about, 118)
        return
    if _sees_motion(specs):
        yield from _MOTION_LINES
        return
    looks_only = not specs["preprocessor"].get("audio") and not is_filter
    unlike = "cameras, places and people" if looks_only else "rooms, microphones and voices"
    yield f"These scores hold for recordings like those of the corpus. For other {unlike}, and for"
    others = "other noises" if is_filter else "what is none of the labels" if labels else "other words"
    if "voices" in specs["objective"]:
        others = "other languages"
    yield f"{others}, nothing was measured."


_FILM_LINES = (
    "These scores hold for films that code has cut together: real shots of surveillance cameras and drawings, moved,",
    "graded and spoilt in many ways. On films that people have edited nothing was measured. Frames are counted, not",
    "seconds: at more than 60 frames a second a gradual transition may be longer than the network sees. Fades at the",
    "edges of a film lead to no other shot and are not told.",
)


_MOTION_LINES = (
    "It knows how fast and how unevenly things move, and not what they are: people who play, dance or scuffle, a crowd",
    "that hurries, leaves in the wind, a camera that shakes may be taken for what it was taught to find, and what is",
    "far away or hidden may be missed. These scores hold for films like those of the corpus; for other cameras, places",
    "and people nothing was measured. Have a person look before anything is done about an answer.",
)


def _sees_motion(specs: Mapping[str, Spec]) -> bool:
    """Whether a network, or those that answer together, takes nothing of a film but how things move in it."""
    networks = specs["network"].get("members", [specs["network"]])
    encoders = [encoder for network in networks for encoder in network.get("encoders", {}).values()]
    return bool(encoders) and all(str(each.get("_target_", "")).endswith(".MotionEncoder") for each in encoders)


def _seen_frames(specs: Mapping[str, Spec]) -> Spec:
    """What sees every frame of a film; empty: nothing does."""
    video = specs["preprocessor"].get("video") or {}
    return video if "window_frames" in video else {}


def _units(objective: Spec) -> str:
    return ", ".join("the blank" if unit == " " else unit for unit in objective["units"])
