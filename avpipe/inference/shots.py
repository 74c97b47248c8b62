"""The shots of a film, and what other bundles say of each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from avpipe.answers import Answers, Decoded, TextAnswers
from avpipe.inference.prediction import ShotAnswer, ShotLabel, TaskAnswer


@dataclass(frozen=True, slots=True)
class PlacedAnswer:
    """What a bundle says of one window."""

    start_sec: float
    end_sec: float
    said: Decoded

    def shared_sec(self, shot: ShotAnswer) -> float:
        """Of the window and a shot."""
        return min(self.end_sec, shot.end_sec) - max(self.start_sec, shot.start_sec)


Others = Mapping[str, tuple[Answers, Sequence[PlacedAnswer]]]
"""The other bundles of a run by name: what decodes their answers, and those for the windows in order of time."""


def shots_of(said: Decoded) -> tuple[ShotAnswer, ...]:
    """The shots of an answer, without labels yet."""
    return tuple(ShotAnswer(each.start_sec, each.end_sec, each.num_frames) for each in said.shots)


def with_labelled_shots(tasks: Mapping[str, TaskAnswer], others: Others) -> dict[str, TaskAnswer]:
    """The answers for a film, its shots labelled by the bundles that look for none.

    What a bundle says of a shot is made of the windows that overlap it as what it says of a film is made of all its
    windows, each weighted by the seconds that it shares with the shot. So a shot that is shorter than a window has the
    label of what surrounds it, too. Of a bundle that transcribes, a shot has the words whose middle lies in it.

    Args:
        tasks: the answers by the names of their bundles.
        others: with the windows of each.
    """
    labelled = dict(tasks)
    for name, answer in tasks.items():
        if answer.shots:
            labels: list[dict[str, ShotLabel]] = [{} for _ in answer.shots]
            for other, (objective, windows) in others.items():
                if isinstance(objective, TextAnswers):
                    found = _spoken(answer.shots, tasks[other])
                else:
                    found = _labels(answer.shots, objective, windows)
                for place, label in found.items():
                    labels[place][other] = label
            shots = zip(answer.shots, labels, strict=True)
            labelled[name] = replace(answer, shots=tuple(replace(shot, labels=told) for shot, told in shots))
    return labelled


def _labels(shots: Sequence[ShotAnswer], objective: Answers, windows: Sequence[PlacedAnswer]) -> dict[int, ShotLabel]:
    """By the places of those shots that any window overlaps. Both lists are in order of time, and gone through once."""
    found = {}
    first = 0
    for place, shot in enumerate(shots):
        while first < len(windows) and windows[first].end_sec <= shot.start_sec:
            first += 1
        shared: list[tuple[Decoded, float]] = []
        for window in windows[first:]:
            if window.start_sec >= shot.end_sec:
                break
            if (seconds := window.shared_sec(shot)) > 0.0:
                shared.append((window.said, seconds))
        if shared:
            said = objective.finished(objective.combine(*zip(*shared, strict=True)))
            found[place] = ShotLabel(said.label, said.score)
    return found


def _spoken(shots: Sequence[ShotAnswer], transcript: TaskAnswer) -> dict[int, ShotLabel]:
    words = [((word.start_sec + word.end_sec) / 2.0, word.text) for word in transcript.words]
    texts = [" ".join(text for middle, text in words if shot.start_sec <= middle < shot.end_sec) for shot in shots]
    return {place: ShotLabel(None, None, text) for place, text in enumerate(texts) if text}
