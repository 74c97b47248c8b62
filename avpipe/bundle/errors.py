"""What can be wrong with a bundle."""

from avpipe.errors import AvpipeError


class BundleError(AvpipeError):
    """A folder that is no bundle, a damaged one, or one that this machine does not reproduce."""
