"""Emotions as sentiments."""

SENTIMENTS = ("negative", "neutral", "positive")

_SENTIMENT_OF = {
    "neutral": "neutral",
    "calm": "neutral",
    "happy": "positive",
    "happiness": "positive",
    "surprised": "positive",
    "surprise": "positive",
}


def sentiment_of(emotion: str) -> str:
    """``positive`` of happiness and surprise, ``neutral`` of calm, ``negative`` of every other emotion."""
    return _SENTIMENT_OF.get(emotion, "negative")
