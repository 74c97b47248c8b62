"""Tiny corpora, laid out as the real ones are."""

import hashlib
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

SAMPLE_RATE = 8000


def write_recording(path: Path, content: str | None = None, samples: int = 240) -> Path:
    """A short recording; equal ``content`` (None: its path) gives equal samples."""
    seed = int.from_bytes(hashlib.sha256((content or str(path)).encode()).digest()[:8])
    noise = np.random.default_rng(seed).integers(-8000, 8000, samples, dtype=np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(noise.tobytes())
    return path


def write_recordings(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        write_recording(root / name)
    return root


def class_folders(root: Path, files_of: dict[str, int]) -> Path:
    """``root/<label>/0.wav``, ``1.wav``, ..."""
    return write_recordings(
        root, (f"{label}/{number}.wav" for label, files in files_of.items() for number in range(files))
    )


def ravdess(root: Path, actors: Iterable[int] = (1, 2, 15, 17)) -> Path:
    names = (
        f"Actor_{actor:02}/03-01-{emotion:02}-01-{statement:02}-{repetition:02}-{actor:02}.wav"
        for actor in actors
        for emotion in (1, 5)
        for statement in (1, 2)
        for repetition in (1, 2)
    )
    return write_recordings(root, names)


def fsdd(root: Path, takes: int = 11) -> Path:
    names = (
        f"recordings/{digit}_{speaker}_{take}.wav"
        for digit in (0, 1)
        for speaker in ("george", "theo", "lucas")
        for take in range(takes)
    )
    return write_recordings(root, names)


NEMO_HEADER = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"


def nemo(root: Path) -> Path:
    """With the real one's defects: leading blanks, and quotation marks that are no quoting."""
    rows = []
    for speaker, gender in (("EB0", "female"), ("TP0", "male"), ("WR0", "male"), ("KS0", "female")):
        for emotion in ("anger", "fear"):
            for sentence, text in ((1, '"ród" smoka'), (2, "„żołwica” to siostra"), (3, 'a "b')):
                name = f"{speaker}_{emotion}_{sentence}.wav"
                rows.append(f"{name}\t{emotion}\t{text.title()}.\t{text}\t        {speaker}\t{gender}\t27\n")
                write_recording(root / "samples" / name)
    (root / "data.tsv").write_text(NEMO_HEADER + "".join(rows), encoding="utf-8")
    return root


def fights(root: Path) -> Path:
    rows = [
        f"{label}/{side}{number}.wav,{label},{side},{source}\r\n"
        for label in ("fight", "noFight")
        for side, source in (("train", "src1"), ("val", "src2"), ("test", "src3"))
        for number in (1, 2)
    ]
    rows.append("noFight/alone.wav,noFight,train,\r\n")
    write_recordings(root, (row.split(",")[0] for row in rows))
    (root / "split.csv").write_bytes(("file,label,split,source\r\n" + "".join(rows)).encode())
    return root


def ucf101(root: Path, actions: Iterable[str] = ("Archery", "Basketball")) -> Path:
    """Eight sources an action with two clips each; in split N the first two from 2 N - 1 on test."""
    lists = root / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    names = [f"{action}/v_{action}_g{g:02}_c{c:02}.avi" for action in actions for g in range(1, 9) for c in (1, 2)]
    write_recordings(root / "UCF-101", names)
    numbers = {action: number for number, action in enumerate(actions, start=1)}
    (lists / "classInd.txt").write_text("".join(f"{number} {action}\r\n" for action, number in numbers.items()))
    for split in (1, 2, 3):
        tested = [name for name in names if f"_g{2 * split - 1:02}" in name or f"_g{2 * split:02}" in name]
        (lists / f"testlist{split:02}.txt").write_text("".join(f"{name}\r\n" for name in tested))
        trained = (f"{name} {numbers[name.split('/')[0]]}\r\n" for name in names if name not in tested)
        (lists / f"trainlist{split:02}.txt").write_text("".join(trained))
    return root


def hmdb51(root: Path) -> Path:
    """Six sources an action; in split 1 the first two test, the last is not used; one film has clips on both sides."""
    lists = root / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for action in ("brush_hair", "clap"):
        names = [f"{action} film #{number}_{action}_u_nm_np1_ba_goo_0.avi".replace(" ", "_") for number in range(6)]
        names += [f"Long_Film_{action}_f_cm_np2_le_med_{number}.avi" for number in (1, 2)]
        write_recordings(root / action, names)
        for split in (1, 2, 3):
            sides = [2, 2, 1, 1, 1, 0, 1, 2] if split == 1 else [1, 1, 1, 2, 2, 1, 1, 1]
            lines = (f"{name} {side} \n" for name, side in zip(names, sides, strict=True))
            (lists / f"{action}_test_split{split}.txt").write_text("".join(lines))
    return root


def kinetics(root: Path, sides: Iterable[str] = ("train", "validate", "test")) -> Path:
    """Four films a label and side, in folders by label; identifiers begin and end with odd signs."""
    rows = []
    for number, side in enumerate(sides):
        for label in ("air drumming", "abseiling, high"):
            for film in range(4):
                name = f"-{number}_{film}{label[:2]}_"
                rows.append(f'"{label}",{name},{film},{film + 10},{side}\n')
                write_recording(root / label.replace(" ", "_") / f"{name}_{film:06}_{film + 10:06}.mp4")
    (root / "kinetics.csv").write_text("label,youtube_id,time_start,time_end,split\n" + "".join(rows))
    return root
