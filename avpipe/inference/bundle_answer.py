"""What one bundle says of one file, gathered window by window."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from avpipe.answers import Decoded, TextAnswers, VoiceAnswers
from avpipe.inference.decoding import Window
from avpipe.inference.model import Model
from avpipe.inference.prediction import TaskAnswer, WindowAnswer
from avpipe.inference.senses import Apart, SensesHeard
from avpipe.inference.shots import PlacedAnswer, shots_of
from avpipe.inference.speech import Stretch
from avpipe.inference.turns import TurnFinder
from avpipe.inference.word_times import within_speech

SHORT_SHARE = 0.5
"""Of a window: a film, and a recording of a voice to be known again, that is shorter is told to be."""
SHORT_SOUND_SHARE = 0.1
"""The same of what only listens: a word is whole, however short, and most windows of words are mostly padding."""


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
    heard: bool = False
    """Whether there was anything to be heard in a window."""
    seen: bool | None = None
    """Whether there was anything to be seen in a window; None: none had pictures."""

    def add(self, window: Window, said: Decoded, apart: Apart) -> None:
        """Enter what was said of a window, and what by some of its senses alone."""
        seconds = window.end_sec - window.start_sec
        self.heard = self.heard or not window.silent
        if "video" in window.arrays:
            self.seen = bool(self.seen) or not window.blank
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
        yield from self._short()
        if self.seen is False and not self.bundle.windowing.counts_frames:
            yield "there is nothing to be seen in its pictures"
        yield from self._lacked(rate is not None)

    def _short(self) -> Iterator[str]:
        """Whether there is less of it than the bundle has learned to judge by; a transcript may be of any length."""
        windowing, objective = self.bundle.windowing, self.bundle.objective
        if windowing.counts_frames or isinstance(objective, TextAnswers):
            return
        is_voice, window_sec = isinstance(objective, VoiceAnswers), windowing.window_sec
        listens_only = not windowing.format.video and not is_voice
        if self.seconds >= (SHORT_SOUND_SHARE if listens_only else SHORT_SHARE) * window_sec:
            return
        if is_voice:
            yield f"{self.seconds:.2g} s of sound: too short to tell voices apart surely"
        else:
            yield f"shorter than a window of {window_sec:g} s: judged by {self.seconds:.2g} s"

    def _lacked(self, has_sound: bool) -> Iterator[str]:
        """Which senses a bundle of several had to do without, and whether all that it heard is silence.

        Args:
            has_sound: whether the file has a sound, be there something to be heard in it or not.
        """
        if self.bundle.senses:
            for sense in self.bundle.senses:
                if sense not in self.senses.alone:
                    what = "picture" if sense != "audio" else "sound"
                    lacked = "its sound is silence" if sense == "audio" and has_sound else f"no {what} in it"
                    yield f"{lacked}: answered by {' and '.join(self.senses.alone)} alone"
        elif not self.bundle.windowing.format.audio:
            return
        if has_sound and not self.heard and "audio" in (self.senses.alone or ("audio",)):
            yield "its sound is silence"
