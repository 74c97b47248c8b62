"""What can be wrong with a graph."""

from avpipe.errors import AvpipeError


class GraphError(AvpipeError):
    """A file that is no graph of ours, a damaged one, or one that does not say what its bundle says."""


class ExportError(GraphError):
    """A graph that cannot be drawn, does not say what its bundle says, or loses too much by fewer bits: not written."""

    exit_status = 1
