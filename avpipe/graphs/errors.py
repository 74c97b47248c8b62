"""What can be wrong with a graph."""

from avpipe.errors import AvpipeError


class GraphError(AvpipeError):
    """A file that is no graph of ours, a damaged one, or one that does not say what its bundle says."""
