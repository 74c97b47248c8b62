"""CREMA-D: acted emotion in English, as sound or as films."""

import re
from collections.abc import Iterator
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, find_root
from avpipe.corpora.example import Example
from avpipe.corpora.sentiment import sentiment_of
from avpipe.media import find_media

# Actor, sentence, emotion, level of it (XX: none asked for; the published files spell one of them X).
_NAME = re.compile(r"(?P<actor>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>LO|MD|HI|XX?)")
_EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
_FILMS = (".flv", ".mp4", ".mkv", ".mov", ".avi", ".webm")


class CremaD(Corpus):
    """Ninety-one actors, twelve sentences, six emotions, as they were asked for (not as raters heard them).

    Films (``VideoFlash/*.flv``) and sounds (``AudioWAV``, ``AudioMP3``) stand anywhere below the root; of a recording
    that is there in several forms the film is taken, else the first by name. The group is the actor. The authors laid
    down no split.

    Args:
        root: the folder; None: ``$AVPIPE_CORPORA/crema_d``.
        label: sentiment, emotion or speaker. For ``speaker`` the group is the sentence, which every actor says.

    Reference: H. Cao et al., "CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset", IEEE Transactions on
    Affective Computing 5(4), 2014, doi:10.1109/TAFFC.2014.2336244.
    """

    name = "crema_d"
    licence = "ODbL 1.0"

    def __init__(self, root: str | Path | None = None, label: str = "emotion") -> None:
        self.label = choose_label(self.name, label, ("sentiment", "emotion", "speaker"))
        self.root = find_root(self.name, root, "crema_d", "CREMA-D from its GitHub page")

    def scan(self) -> Iterator[Example]:
        forms: dict[str, list[Path]] = {}
        for path in find_media(self.root):
            if _NAME.fullmatch(path.stem):
                forms.setdefault(path.stem, []).append(path)
        for stem, paths in forms.items():
            name = _NAME.fullmatch(stem)
            if name and name["emotion"] in _EMOTIONS:
                path = min(paths, key=lambda each: (each.suffix.lower() not in _FILMS, each.as_posix()))
                yield Example(path, self._target(name), group=name["sentence" if self.label == "speaker" else "actor"])

    def _target(self, name: re.Match[str]) -> str:
        if self.label == "speaker":
            return name["actor"]
        emotion = _EMOTIONS[name["emotion"]]
        return sentiment_of(emotion) if self.label == "sentiment" else emotion
