"""What can be wrong with a corpus."""

from avpipe.errors import AvpipeError


class CorpusError(AvpipeError):
    """A corpus that is missing, empty, damaged, unlabelled, or that cannot be split as asked."""
