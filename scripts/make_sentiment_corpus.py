"""Make films of sentiment: real emotional speech, and drawn faces whose expression agrees with it in three of four.

The voices are those of RAVDESS and nEMO (positive: happy, surprised; neutral: neutral, calm; negative: the rest), on
the sides of those corpora's own splits, so that no actor stands on two; of a side and label each actor is heard
equally often. The faces are drawn, and fill the picture: a mouth that curves and opens with the voice, brows, eyes
that blink, a head that moves, under changing light and noise, each film with an identity of its own, some with a plain
expression and some with a faint one. Of each side and label exactly 75 % of the faces show the label, and the others
both other labels equally often. A recording is heard in several films, each time with another face. These are no real
faces: what is measured here tells how well two senses are joined, and nothing of how well people are understood.

Writes ``manifest.csv`` (path, label, group, split, face, sha256) and the films below ``train/``, ``val/`` and
``test/``; the same seed writes the same bytes, and a run that was stopped goes on.

    python scripts/make_sentiment_corpus.py FOLDER [FILMS_TRAIN FILMS_VAL FILMS_TEST [SEED]]
"""

import csv
import hashlib
import os
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice, repeat
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from avpipe.corpora import SENTIMENTS, SIDES, Corpus, CorpusError, Example, Nemo, Ravdess, sentiment_of
from avpipe.errors import AvpipeError
from avpipe.files import sha256_of, write_text, written_whole
from avpipe.media import read_clip, write_video
from avpipe.progress import counted

FPS = 8
SIDE_PX = 96
OVERSAMPLED = 2
RATE_HZ = 16_000
LONGEST_SEC = 2.75
AGREEING_QUARTERS = 3
BLINK_EVERY = 15
"""Frames, about."""
COUNTS = (3000, 480, 2160)


@dataclass(frozen=True, slots=True)
class Film:
    """One film to be made."""

    name: str
    label: str
    group: str
    side: str
    face: str
    recording: Path


def plan_films(counts: tuple[int, int, int], seed: int) -> list[Film]:
    """The films of all sides, in order; of each side and label as many, and as many faces that agree.

    Raises:
        ValueError: for counts that cannot be shared out so: multiples of 24 can.
    """
    if any(count % 24 for count in counts):
        raise ValueError(f"numbers of films {counts} must be multiples of 24: labels, and faces in quarters of halves")
    recordings = list(_recordings())
    films = []
    for side, count in zip(SIDES, counts, strict=True):
        for label in SENTIMENTS:
            generator = np.random.default_rng([seed, zlib.crc32(f"{side}/{label}".encode())])
            films += _films_of(side, label, recordings, count // len(SENTIMENTS), generator)
    return films


def _recordings() -> Iterator[tuple[Corpus, Example, str]]:
    for corpus in (Ravdess(), Nemo()):
        for example, side in (corpus.official_split() or {}).items():
            yield corpus, example, side


def _films_of(
    side: str,
    label: str,
    recordings: list[tuple[Corpus, Example, str]],
    count: int,
    generator: np.random.Generator,
) -> list[Film]:
    heard: dict[str, list[Path]] = defaultdict(list)
    for corpus, example, its_side in recordings:
        if its_side == side and sentiment_of(str(example.target)) == label:
            heard[f"{corpus.name}_{example.group}"].append(example.path)
    turns = [(group, _in_turn(paths, generator)) for group, paths in heard.items()]
    chosen = [(group, next(paths)) for group, paths in islice(cycle(turns), count)]
    others = [other for other in SENTIMENTS if other != label]
    agreeing = count * AGREEING_QUARTERS // 4
    faces = [label] * agreeing + others * ((count - agreeing) // 2)
    films = []
    for number, ((group, path), shown) in enumerate(zip(chosen, generator.permutation(count), strict=True)):
        films.append(Film(f"{side}/{label}/{number:04}_{path.stem}.mp4", label, group, side, faces[shown], path))
    return films


def _in_turn(paths: list[Path], generator: np.random.Generator) -> Iterator[Path]:
    """All of them in a drawn order, again and again."""
    while True:
        yield from (paths[place] for place in generator.permutation(len(paths)))


def voice_of(path: Path) -> np.ndarray:
    """(1, samples) at 16 kHz: the recording from just before its speech begins, so much that the film is one window."""
    clip = read_clip(path, 0.0, None, sample_rate=RATE_HZ, mono=True)
    assert clip.waveform is not None
    loud = np.flatnonzero(np.abs(clip.waveform[0]) > 0.1 * np.abs(clip.waveform).max())
    first = max(0, int(loud[0]) - RATE_HZ // 5)
    return clip.waveform[:, first : first + round(LONGEST_SEC * RATE_HZ)]


@dataclass(frozen=True, slots=True)
class Face:
    """Who is drawn, and what shows; lengths are parts of the picture's side."""

    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    eyes: tuple[int, int, int]
    lips: tuple[int, int, int]
    glasses: bool
    long_hair: bool
    centre: tuple[float, float]
    width: float
    height: float
    eye: float
    mouth_width: float
    curve: float
    """Of the mouth: above 0 its corners stand higher than its middle."""
    brow_lift: float
    brow_slant: float
    """Above 0 the inner ends stand lower, as in anger; below, higher, as in sorrow."""


def draw_face(shown: str, generator: np.random.Generator) -> Face:
    """An identity and an expression; some show a label plainly and some faintly, so that not every face can be read."""
    skin = generator.uniform(0.45, 1.0) * np.array([235, 195, 165]) + generator.uniform(-15, 15, 3)
    strength = generator.uniform(0.1, 1.0)
    curve, lift, slant = {
        "positive": (strength, generator.uniform(0.0, 1.0), generator.uniform(-0.3, 0.3)),
        "neutral": (generator.uniform(-0.25, 0.25), generator.uniform(-0.4, 0.4), generator.uniform(-0.3, 0.3)),
        "negative": (-strength, generator.uniform(-0.8, 0.3), generator.choice([-1, 1]) * generator.uniform(0.2, 1.0)),
    }[shown]
    width = generator.uniform(0.32, 0.4)
    return Face(
        skin=_colour(skin),
        hair=_colour(generator.uniform(0.1, 1.0) * np.array([220, 170, 110]) + generator.uniform(-20, 20, 3)),
        eyes=_colour(generator.uniform(20, 140, 3)),
        lips=_colour(skin * np.array([0.8, 0.45, 0.45])),
        glasses=bool(generator.random() < 0.3),
        long_hair=bool(generator.random() < 0.5),
        centre=(generator.uniform(0.46, 0.54), generator.uniform(0.5, 0.55)),
        width=width,
        height=width * generator.uniform(1.1, 1.3),
        eye=width * generator.uniform(0.15, 0.2),
        mouth_width=width * generator.uniform(0.45, 0.6),
        curve=curve,
        brow_lift=lift,
        brow_slant=slant,
    )


def _colour(values: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(each) for each in np.clip(values, 0, 255))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is in one frame, and what moves in it."""

    shift: tuple[float, float]
    roll: float
    """In radians."""
    blink: bool
    opening: float
    """Of the mouth, in [0, 1]."""


class Canvas:
    """Shapes about the middle of a face, in parts of the picture's side, turned and moved with the head."""

    def __init__(self, picture: Image.Image, centre: tuple[float, float], pose: Pose) -> None:
        self.draw = ImageDraw.Draw(picture)
        self.side = picture.width
        self.middle = np.array(centre) + np.array(pose.shift)
        cos, sin = np.cos(pose.roll), np.sin(pose.roll)
        self.turn = np.array([[cos, sin], [-sin, cos]])

    def placed(self, points: np.ndarray) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in self.side * (points @ self.turn + self.middle)]

    def oval(self, x: float, y: float, across: float, down: float, colour: tuple[int, int, int]) -> None:
        angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        points = np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1)
        self.draw.polygon(self.placed(points), fill=colour)

    def polygon(self, points: np.ndarray, colour: tuple[int, int, int]) -> None:
        self.draw.polygon(self.placed(points), fill=colour)

    def line(self, points: np.ndarray, colour: tuple[int, int, int], width: float) -> None:
        self.draw.line(self.placed(points), fill=colour, width=max(1, round(width * self.side)), joint="curve")


def draw_frame(background: Image.Image, face: Face, pose: Pose) -> np.ndarray:
    """(SIDE_PX, SIDE_PX, 3), float32 from 0 to 255."""
    picture = background.copy()
    canvas = Canvas(picture, face.centre, pose)
    width, height = face.width, face.height
    if face.long_hair:
        canvas.oval(0, 0.15 * height, 1.25 * width, 1.2 * height, face.hair)
    canvas.oval(0, -0.2 * height, 1.08 * width, 0.95 * height, face.hair)
    canvas.oval(0, 0, width, height, face.skin)
    _draw_eyes(canvas, face, pose)
    canvas.line(np.array([[0, -0.02], [0.06 * width, 0.2 * height]]), face.lips, 0.012)
    _draw_mouth(canvas, face, pose)
    return np.asarray(picture.reduce(OVERSAMPLED), np.float32)


def _draw_eyes(canvas: Canvas, face: Face, pose: Pose) -> None:
    eye, y = face.eye, -0.18 * face.height
    for side in (-1, 1):
        x = 0.42 * side * face.width
        if pose.blink:
            canvas.line(np.array([[x - eye, y], [x + eye, y]]), face.hair, 0.012)
        else:
            canvas.oval(x, y, eye, 0.75 * eye, (245, 245, 245))
            canvas.oval(x, y, 0.5 * eye, 0.55 * eye, face.eyes)
        brow = y - 1.7 * eye - 0.6 * eye * face.brow_lift
        slant = 0.8 * eye * face.brow_slant
        ends = np.array([[x - 1.2 * side * eye, brow + slant], [x + 1.2 * side * eye, brow - slant]])
        canvas.line(ends, face.hair, 0.03)
        if face.glasses:
            angles = np.linspace(0, 2 * np.pi, 20)
            ring = np.stack([x + 1.7 * eye * np.cos(angles), y + 1.5 * eye * np.sin(angles)], axis=1)
            canvas.line(ring, (40, 40, 40), 0.01)


def _draw_mouth(canvas: Canvas, face: Face, pose: Pose) -> None:
    across = np.linspace(-1, 1, 13)
    bend = 0.4 * face.mouth_width * face.curve * (1 - 2 * across**2)
    middle = 0.5 * face.height + bend
    gap = face.mouth_width * (0.04 + 0.25 * pose.opening) * (1 - across**2)
    upper = np.stack([face.mouth_width * across, middle - gap], axis=1)
    lower = np.stack([face.mouth_width * across, middle + gap], axis=1)
    canvas.polygon(np.concatenate([upper, lower[::-1]]), (70, 20, 30))
    for lip in (upper, lower):
        canvas.line(lip, face.lips, 0.03)


def draw_background(generator: np.random.Generator) -> Image.Image:
    """Two colours that run into each other, and some shapes."""
    side = SIDE_PX * OVERSAMPLED
    ramp = (
        np.linspace(0, 1, side)[:, None, None] if generator.random() < 0.5 else np.linspace(0, 1, side)[None, :, None]
    )
    first, second = generator.uniform(20, 235, (2, 3))
    pixels = np.broadcast_to(first + ramp * (second - first), (side, side, 3))
    picture = Image.fromarray(pixels.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(generator.integers(0, 6)):
        left, top, *size = generator.uniform(0, side, 4)
        box = (left, top, left + 0.5 * size[0], top + 0.5 * size[1])
        shape = draw.ellipse if generator.random() < 0.5 else draw.rectangle
        shape(box, fill=_colour(generator.uniform(0, 255, 3)))
    return picture


def frames_of(shown: str, voice: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """A face that shows a label for as long as the voice lasts, (SIDE_PX, SIDE_PX, 3) uint8 each."""
    face, background = draw_face(shown, generator), draw_background(generator)
    count = max(1, round(voice.shape[1] / RATE_HZ * FPS))
    loudness = np.array([np.sqrt(np.mean(part**2)) for part in np.array_split(voice[0], count)])
    opening = loudness / max(float(loudness.max()), 1e-6)
    sway, nod, roll = generator.uniform(0.0, 0.03), generator.uniform(0.0, 0.03), generator.uniform(0.0, 0.08)
    pace, phase = generator.uniform(0.5, 2.5, 3), generator.uniform(0, 2 * np.pi, 3)
    tilt, blink_at = generator.uniform(-0.12, 0.12), generator.integers(0, BLINK_EVERY)
    light, noise = generator.uniform(0.65, 1.15), generator.uniform(1.0, 8.0)
    shade = 1.0 + generator.uniform(-0.3, 0.3) * np.linspace(-1, 1, SIDE_PX)[None, :, None]
    # One field of noise, moved about: drawing it anew for each frame takes longer than all the rest.
    grain = noise * generator.standard_normal((2 * SIDE_PX, 2 * SIDE_PX, 3), np.float32)
    for number in range(count):
        waves = np.sin(pace * 2 * np.pi * number / FPS + phase)
        pose = Pose(
            (sway * waves[0], nod * waves[1]), tilt + roll * waves[2], number % BLINK_EVERY == blink_at, opening[number]
        )
        lit = draw_frame(background, face, pose) * shade * (light * (1 + 0.03 * waves[0]))
        down, across = generator.integers(0, SIDE_PX, 2)
        lit = lit + grain[down : down + SIDE_PX, across : across + SIDE_PX]
        yield np.clip(lit, 0, 255).astype(np.uint8)


def make_film(folder: Path, film: Film, seed: int) -> str:
    """Write a film, but where it stands already; returns its SHA-256."""
    path = folder / film.name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        voice = voice_of(film.recording)
        generator = np.random.default_rng([seed, zlib.crc32(film.name.encode())])
        options = {"preset": "ultrafast", "crf": "28", "threads": "1"}
        frames = frames_of(film.face, voice, generator)
        write_video(path, frames, fps=FPS, waveform=voice, sample_rate=RATE_HZ, options=options)
    return sha256_of(path)


def make_sentiment_corpus(folder: Path, counts: tuple[int, int, int] = COUNTS, seed: int = 0) -> str:
    """Write the films and ``manifest.csv``; returns the SHA-256 of the manifest, which names each film's own."""
    films = plan_films(counts, seed)
    _claim(folder, f"films {counts}, seed {seed}\n")
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as processes:
        made = processes.map(make_film, repeat(folder), films, repeat(seed), chunksize=8)
        rows = [
            (film.name, film.label, film.group, film.side, film.face, sha256)
            for film, sha256 in zip(films, counted(made, len(films), "films"), strict=True)
        ]
    manifest = folder / "manifest.csv"
    with written_whole(manifest) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "group", "split", "face", "sha256"])
        writer.writerows(rows)
    return hashlib.sha256(manifest.read_bytes()).hexdigest()


def _claim(folder: Path, settings: str) -> None:
    """Refuse to go on with films that other settings made: which face a film shows hangs on how many there are."""
    claimed = folder / "settings.txt"
    if claimed.is_file() and claimed.read_text(encoding="utf-8") != settings:
        raise CorpusError(folder, "holds films made with other settings", "name another folder")
    write_text(claimed, settings)


def main() -> int:
    if len(sys.argv) not in (2, 5, 6) or not all(number.isdecimal() for number in sys.argv[2:]):
        print(
            "usage: python scripts/make_sentiment_corpus.py FOLDER [FILMS_TRAIN FILMS_VAL FILMS_TEST [SEED]]",
            file=sys.stderr,
        )
        return 2
    folder, numbers = Path(sys.argv[1]), [int(number) for number in sys.argv[2:]]
    counts = (numbers[0], numbers[1], numbers[2]) if numbers else COUNTS
    try:
        sha256 = make_sentiment_corpus(folder, counts, *numbers[3:])
    except (AvpipeError, ValueError) as error:
        print(f"make_sentiment_corpus: {error}", file=sys.stderr)
        return 2
    print(f"{folder}: {sum(counts)} films; manifest.csv has the SHA-256 {sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
