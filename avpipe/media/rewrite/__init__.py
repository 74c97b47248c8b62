"""Media in, the same media out, with every sound passed through a filter; all else is kept bit for bit."""

from avpipe.media.rewrite.codecs import CHOICES, has_encoder
from avpipe.media.rewrite.forms import FilterFactory, Rewritten, RewrittenSound, SoundFilter, SoundForm
from avpipe.media.rewrite.rewrite import rewrite_sound

__all__ = [
    "CHOICES",
    "FilterFactory",
    "Rewritten",
    "RewrittenSound",
    "SoundFilter",
    "SoundForm",
    "has_encoder",
    "rewrite_sound",
]
