"""RAVDESS, the speech part: acted emotion in English, as sound or as films."""

import re
from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.example import Example
from avpipe.corpora.sentiment import sentiment_of
from avpipe.media import find_media

# 01: film with sound, 03: sound alone (02, film alone, is the first without its sound); 01: speech (02 is song); then
# emotion, intensity, statement, repetition, actor.
_NAME = re.compile(
    r"(?P<modality>0[13])-01-(?P<emotion>0[1-8])-(?P<intensity>\d\d)-(?P<statement>\d\d)-(?P<repetition>\d\d)-(?P<actor>\d\d)"
)
_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_SIDES = {"15": "val", "16": "val", "17": "test", "18": "test", "19": "test", "20": "test"}


class Ravdess(Corpus):
    """The Ryerson Audio-Visual Database of Emotional Speech and Song, its speech recordings.

    Films (``01-01-...mp4``) stand anywhere below the root, also beside the recordings of sound alone (``03-01-...``):
    of a recording that is there in both forms the film is taken.

    The group is the actor. For ``label=speaker`` it is emotion, intensity and statement: the two repetitions were
    recorded one after the other and sound alike, and every actor has every such group.
    The split (this project's: the authors laid down none) tests on actors 17-20 and validates on 15 and 16.

    Known defect, met by the split: 03-01-03-01-02-01-07 and 03-01-03-01-02-02-07 are the same recording.

    Reference: S. R. Livingstone, F. A. Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song
    (RAVDESS): A dynamic, multimodal set of facial and vocal expressions in North American English",
    PLoS ONE 13(5), 2018, doi:10.1371/journal.pone.0196391.
    """

    name = "ravdess"
    licence = "CC BY-NC-SA 4.0"

    def __init__(self, root: str | Path | None = None, label: str = "emotion") -> None:
        self.label = choose_label(self.name, label, ("emotion", "sentiment", "speaker", "gender"))
        self.root = find_root(self.name, root, "ravdess", "RAVDESS (speech, audio only) from Zenodo")

    def scan(self) -> Iterator[Example]:
        found = [(path, name) for path in find_media(self.root) if (name := _NAME.fullmatch(path.stem))]
        filmed = {_recording(name) for _, name in found if name["modality"] == "01"}
        for path, name in found:
            if name["modality"] == "01" or _recording(name) not in filmed:
                yield Example(path, self._target(name), group=self._group(name))

    def official_split(self) -> dict[Example, str] | None:
        if self.label == "speaker":
            return None  # it sets speakers apart, whom this label needs on every side
        return {example: _SIDES.get(example.group, "train") for example in self.examples()}

    def _target(self, name: re.Match[str]) -> str:
        if self.label == "speaker":
            return name["actor"]
        if self.label == "gender":
            return "male" if int(name["actor"]) % 2 else "female"
        emotion = _EMOTIONS[int(name["emotion"]) - 1]
        return sentiment_of(emotion) if self.label == "sentiment" else emotion

    def _group(self, name: re.Match[str]) -> str:
        if self.label == "speaker":
            return f"{name['emotion']}-{name['intensity']}-{name['statement']}"
        return name["actor"]


def _recording(name: re.Match[str]) -> str:
    """What the film and the sound of one recording share."""
    return name[0].partition("-")[2]
