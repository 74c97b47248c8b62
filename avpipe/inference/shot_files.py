"""The shots of a film as files beside its name: a table, and an edit decision list."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath

from avpipe.inference.per_recording import Record, beside, write_each
from avpipe.inference.workers import NO_LIMITS, Limits, Send, worked
from avpipe.report import write_contact_sheet

_RATES = (
    *(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 100, 120)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 60)),
)
"""Frames a second that a time code has; the last ones are television's."""


@dataclass(frozen=True, slots=True)
class TimeCode:
    """Counts frames as hours, minutes, seconds and frames.

    At 29.97 and 59.94 frames a second codes are drop-frame, as broadcast has it: each minute but every tenth begins two
    (four) numbers later, so that the code keeps the time of a clock. At 23.976 there is no such code, and at whole
    rates no need.

    Reference:
        SMPTE ST 12-1, "Time and Control Code", 2014.
    """

    rate: Fraction
    """Frames a second."""

    @classmethod
    def of(cls, frames_per_sec: float) -> "TimeCode":
        """The code of the usual rate that is nearest; where none is within 4 in 10 000, of the nearest whole rate."""
        nearest = min(_RATES, key=lambda rate: abs(float(rate) - frames_per_sec))
        if abs(float(nearest) - frames_per_sec) <= 0.0004 * frames_per_sec:
            return cls(nearest)
        return cls(Fraction(max(1, round(frames_per_sec))))

    @property
    def nominal(self) -> int:
        """Numbers a second of code."""
        return round(self.rate)

    @property
    def drops(self) -> int:
        """Numbers that are left out at the beginning of a minute."""
        return self.nominal // 15 if self.rate.denominator == 1001 and self.nominal % 30 == 0 else 0

    @property
    def separator(self) -> str:
        """Before the frames."""
        return ";" if self.drops else ":"

    def __call__(self, sec: float) -> str:
        """The code of the frame that is shown at a time."""
        number = round(Fraction(sec) * self.rate)
        if self.drops:
            per_minute = 60 * self.nominal - self.drops
            tens, rest = divmod(number, 10 * per_minute + self.drops)
            number += self.drops * (9 * tens + max(0, rest - self.drops) // per_minute)
        seconds, frames = divmod(number, self.nominal)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours % 24:02}:{minutes:02}:{seconds:02}{self.separator}{frames:02}"


def write_edl(folder: Path, records: Iterable[Record]) -> Path:
    """``<film>.edl`` for each film: a CMX 3600 list with an event a shot.

    Source and record times are those of the film itself, from its beginning, whatever time code it carries. A shot ends
    at the frame behind its last; a gradual transition is parted in its middle and told in a comment. The rate is that
    of the film; where it varies, time codes are those of the mean rate, and a comment says so. CMX 3600 numbers 999
    events; longer lists go on counting, which today's programs read.
    """
    return write_each(folder, records, ".edl", has_shots, _edl)


def _edl(record: Record, answer: Record) -> str:
    shots = answer["shots"]
    name = PurePosixPath(record["path"]).name
    seconds = shots[-1]["end_sec"] - shots[0]["start_sec"]
    code = TimeCode.of(sum(shot["num_frames"] for shot in shots) / seconds if seconds > 0 else 25.0)
    lines = [f"TITLE: {_plain(name)}", f"FCM: {'DROP FRAME' if code.drops else 'NON-DROP FRAME'}"]
    if varies(shots, code.rate):
        lines.append(f"* VARIABLE FRAME RATE: CODES AT THE MEAN OF {float(code.rate):g} FRAMES A SECOND")
    gradual = {each["time_sec"]: each for each in answer["boundaries"] if each["kind"] == "gradual"}
    for number, shot in enumerate(shots, 1):
        start, end = code(shot["start_sec"]), code(shot["end_sec"])
        lines += ["", f"{number:03}  AX       V     C        {start} {end} {start} {end}"]
        lines.append(f"* FROM CLIP NAME: {_plain(name)}")
        if shot["start_sec"] in gradual:
            each = gradual[shot["start_sec"]]
            lines.append(f"* GRADUAL TRANSITION FROM {code(each['start_sec'])} TO {code(each['end_sec'])}")
    return "\n".join(lines) + "\n"


def varies(shots: Sequence[Record], rate: Fraction) -> bool:
    """Whether frames do not lie where a steady rate has them: some shot holds others than its seconds would."""
    return any(abs(shot["num_frames"] - (shot["end_sec"] - shot["start_sec"]) * float(rate)) > 1.5 for shot in shots)


def _plain(name: str) -> str:
    """A name on one line."""
    return " ".join(name.split())


def write_shot_table(folder: Path, record: Record) -> None:
    """``<film>.shots.csv`` of a film: a row a shot, with the labels of the run's other bundles behind."""
    write_each(folder, [record], ".shots.csv", has_shots, _table)


def _table(record: Record, answer: Record) -> str:
    names = list(dict.fromkeys(name for shot in answer["shots"] for name in shot.get("labels", {})))
    kinds = {each["time_sec"]: each for each in answer["boundaries"]}
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    columns = [
        "shot",
        "start_sec",
        "end_sec",
        "num_frames",
        "begins_with",
        "transition_start_sec",
        "transition_end_sec",
    ]
    rows.writerow([*columns, "score", *(column for name in names for column in (name, f"{name}_score"))])
    for number, shot in enumerate(answer["shots"], 1):
        begins = kinds.get(shot["start_sec"], {}) if number > 1 else {}
        told = [begins.get(key, "") for key in ("kind", "start_sec", "end_sec", "score")]
        row = [number, shot["start_sec"], shot["end_sec"], shot["num_frames"], *told]
        for name in names:
            label = shot.get("labels", {}).get(name, {})
            row += [label.get("text") or label.get("label"), label.get("score")]
        rows.writerow(row)
    return text.getvalue()


def has_shots(answer: Record) -> bool:
    """Whether shots were looked for."""
    return "shots" in answer


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A contact sheet to be written."""

    path: Path
    name: str
    film: Path
    answer: Record


def write_sheets(
    folder: Path,
    records: Iterable[Record],
    located: Callable[[str], Path],
    workers: int = 0,
    limits: Limits = NO_LIMITS,
) -> dict[str, Path]:
    """``<film>.shots.jpg`` for each film: a picture a shot.

    Args:
        folder: of the output.
        records: as in ``predictions.jsonl``.
        located: the file behind a record's name.
        workers: processes, as films are decoded anew for it; 0: this one.
        limits: of each process; a film that comes to one has no sheet.

    Returns:
        The sheets by the names of their films.
    """
    jobs = (
        _Sheet(beside(folder, record["path"], ".shots.jpg"), record["path"], located(record["path"]), answer)
        for record in records
        for answer in filter(has_shots, record["tasks"].values())
    )
    if workers == 0:
        return {job.name: job.path for job in jobs if _is_written(job)}
    done = worked(jobs, _write_sheet, workers, (bool,), lambda job, reason: False, limits)
    return {job.name: job.path for job, is_written in done if is_written}


def _is_written(job: _Sheet) -> bool:
    return write_contact_sheet(job.path, job.film, job.answer["shots"], job.answer["boundaries"])


def _write_sheet(job: _Sheet, send: Send) -> None:
    send(_is_written(job))
