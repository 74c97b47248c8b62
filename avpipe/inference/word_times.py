"""When words were said, by the stretches of speech that they stand in."""

from collections.abc import Sequence
from dataclasses import replace

from avpipe.answers import Word
from avpipe.inference.speech import Stretch

EARLY_SEC = 1.0
"""By which a word begins late, or ends early, at most: what is heard for longer beside it is something else, such as
music."""
BESIDE_SEC = 0.1
"""Of a stretch, in which a word still belongs to it: a soft beginning is found late."""


def within_speech(words: Sequence[Word], speech: Sequence[Stretch]) -> tuple[Word, ...]:
    """The words, of which one that begins a stretch of speech begins with it, and one that ends it ends with it.

    The steps in which a network says a word lie somewhere within its sound. Where words follow one another without a
    pause, nothing else is known of them.

    Args:
        words: in their order.
        speech: (start, end) in seconds of each stretch, in their order.
    """
    places = _places(words, speech)
    told: list[Word] = []
    for number, (word, place) in enumerate(zip(words, places, strict=True)):
        start_sec, end_sec = word.start_sec, word.end_sec
        if place is not None:
            first_sec, last_sec = speech[place]
            free_sec = max(start_sec - EARLY_SEC, told[-1].end_sec if told else 0.0)
            if place not in places[:number][-1:] and free_sec <= first_sec:
                start_sec = min(start_sec, first_sec)
            if place not in places[number + 1 :][:1] and last_sec <= end_sec + EARLY_SEC:
                next_sec = words[number + 1].start_sec if number + 1 < len(words) else last_sec
                end_sec = max(end_sec, min(last_sec, next_sec))
        told.append(replace(word, start_sec=start_sec, end_sec=end_sec))
    return tuple(told)


def _places(words: Sequence[Word], speech: Sequence[Stretch]) -> list[int | None]:
    """The stretch in which the middle of each word lies, by number; None: it lies in none."""
    found: list[int | None] = []
    place = 0
    for word in words:
        middle_sec = (word.start_sec + word.end_sec) / 2
        while place < len(speech) and speech[place][1] + BESIDE_SEC < middle_sec:
            place += 1
        inside = place < len(speech) and speech[place][0] - BESIDE_SEC <= middle_sec
        found.append(place if inside else None)
    return found
