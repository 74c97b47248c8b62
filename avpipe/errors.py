"""The one base of every error that a user can cause, and what is said of a run that the user ends."""

INTERRUPTED = "interrupted; what is done is kept, and the same command goes on"
INTERRUPTED_STATUS = 130
"""As shells have it."""


class AvpipeError(Exception):
    """Something a user can mend, told in one line: what it concerns, the reason, the remedy.

    Args:
        subject: the file, key or argument concerned.
        reason: what is wrong with it.
        remedy: what to do about it; empty where there is nothing to do.
    """

    exit_status = 2
    """Exit status of a command that this error ends: 2, unusable arguments."""

    def __init__(self, subject: object, reason: str, remedy: str = "") -> None:
        super().__init__(str(subject), reason, remedy)

    @property
    def subject(self) -> str:
        return str(self.args[0])

    @property
    def reason(self) -> str:
        return str(self.args[1])

    @property
    def remedy(self) -> str:
        return str(self.args[2])

    def __str__(self) -> str:
        text = f"{self.subject}: {self.reason}"
        if self.remedy:
            text += f"; {self.remedy}"
        return printable(text).replace("\r", "\\r").replace("\n", "\\n")


def printable(name: str) -> str:
    """A name as text that any file can hold: bytes in it that are no UTF-8 become escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


class ArgumentError(AvpipeError):
    """An unusable argument: the line names it and the choices."""


class RunStopped(AvpipeError):
    """A run that had to stop half-way: finished work is kept, and the same command goes on."""

    exit_status = 1
