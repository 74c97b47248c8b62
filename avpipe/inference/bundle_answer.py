"""What one bundle says of one file, gathered window by window."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from avpipe.answers import Decoded, VoiceAnswers
from avpipe.inference.decoding import Window
from avpipe.inference.model import Model
from avpipe.inference.prediction import TaskAnswer, WindowAnswer
from avpipe.inference.senses import Apart, SensesHeard
from avpipe.inference.shots import PlacedAnswer, shots_of
from avpipe.inference.speech import Stretch
from avpipe.inference.turns import TurnFinder
from avpipe.inference.word_times import within_speech

SHORT_SHARE = 0.5
"""Of a window: a recording of a voice that is shorter is told to be."""


@dataclass(slots=True)
class BundleAnswer:
    """What a bundle has said of a file so far."""

    bundle: Model
    finder: TurnFinder | None = None
    """Where turns are asked for, and the bundle compares voices."""
    kept: list[PlacedAnswer] | None = None
    """Of all windows, where another bundle finds shots that are to be labelled."""
    combined: Decoded | None = None
    seconds: float = 0.0
    windows: list[WindowAnswer] = field(default_factory=list)
    views: list[Decoded] = field(default_factory=list)
    """What was said of some of the crops of the window at hand, until all are answered."""
    senses: SensesHeard = field(default_factory=SensesHeard)
    """Of a bundle of several senses."""

    def add(self, window: Window, said: Decoded, apart: Apart) -> None:
        """Enter what was said of a window, and what by some of its senses alone."""
        seconds = window.end_sec - window.start_sec
        if apart:
            self.senses.add(self.bundle.objective, apart, [*window.arrays], seconds)
        if window.views > 1:
            self.views.append(said)
            if len(self.views) < window.views:
                return
            said = self.bundle.objective.combine(self.views, [1.0] * window.views)
            self.views.clear()
        if self.finder is not None:
            self.finder.add(window.start_sec, window.end_sec, said.embedding)
        said = said.placed(
            window.start_sec,
            self.bundle.step_sec,
            self.bundle.windowing.overlap_sec,
            window.quiet_sec,
            window.end_sec,
            window.frame_times_sec,
        )
        if self.kept is not None:
            self.kept.append(PlacedAnswer(window.start_sec, window.end_sec, said))
        # Combined as they come, so that a film of hours keeps one set of scores and not one a window.
        if self.combined is None:
            self.combined = said
        else:
            self.combined = self.bundle.objective.combine([self.combined, said], [self.seconds, seconds])
        self.seconds += seconds
        if said.label is not None:
            self.windows.append(WindowAnswer(window.start_sec, window.end_sec, said.label, said.score, said.text))

    def told(self, speech: tuple[Stretch, ...], with_speech: bool) -> TaskAnswer:
        """The answer for the file, all of whose windows were added.

        Args:
            speech: where somebody speaks, where that is known.
            with_speech: whether that is told, too.
        """
        assert self.combined is not None
        said = self.bundle.objective.finished(self.combined)
        if said.shots:
            return TaskAnswer(None, None, {}, None, (), shots=shots_of(said), boundaries=said.boundaries)
        words = within_speech(said.words, speech)
        told = TaskAnswer(said.label, said.score, said.scores, said.text, tuple(self.windows), words, said.embedding)
        if self.senses.alone:
            best = max(said.scores, key=said.scores.__getitem__) if said.scores else None
            alone = {sense: each for sense, (each, _) in self.senses.alone.items()}
            told = replace(told, senses=self.senses.contributions(best), alone=alone)
        if self.finder is not None:  # turns say it with names
            return replace(told, turns=self.finder.turns(speech))
        return replace(told, speech=speech if with_speech else ())

    def doubts(self, rate: int | None) -> Iterator[str]:
        """Why the answer is to be trusted less than others.

        Args:
            rate: Hz of the file's own sound.
        """
        wanted = self.bundle.windowing.format.sample_rate or 0
        if rate and wanted > rate:
            yield f"recorded at {rate} Hz, and learned from {wanted} Hz"
        is_voice, window_sec = isinstance(self.bundle.objective, VoiceAnswers), self.bundle.windowing.window_sec
        if is_voice and self.seconds < SHORT_SHARE * window_sec:
            yield f"{self.seconds:.2g} s of sound: too short to tell voices apart surely"
        yield from self._lacked()

    def _lacked(self) -> Iterator[str]:
        """Which senses a bundle of several had to do without."""
        if len(self.bundle.senses) < 2:
            return
        for sense in self.bundle.senses:
            if sense not in self.senses.alone:
                others = " and ".join(self.senses.alone)
                yield f"no {'sound' if sense == 'audio' else 'picture'} in it: answered by {others} alone"
