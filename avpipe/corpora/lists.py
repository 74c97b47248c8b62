"""Official splits that corpora lay down as lists of files."""

from pathlib import Path

from avpipe.corpora.errors import CorpusError
from avpipe.errors import ArgumentError


def read_list(path: Path, remedy: str = "download it to this place") -> list[str]:
    """The lines of an official list that hold anything, without blanks around them.

    Raises:
        CorpusError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise CorpusError(path, "this official list of the corpus is missing", remedy) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(path, "this official list of the corpus cannot be read", remedy) from error
    return [line.strip() for line in lines if line.strip()]


def check_number(split: int) -> None:
    """Raise an ArgumentError for what is none of three official splits."""
    if split not in (1, 2, 3):
        raise ArgumentError(f"corpus.split={split}", "there are three official splits", "choose 1, 2 or 3")
