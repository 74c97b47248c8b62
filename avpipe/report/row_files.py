"""The rows of a page in files beside it, which the page loads as it comes to them.

A page that was opened from the disk may fetch nothing, but it may load scripts: each file is a script that hands its
rows over. Names of files hold a digest of their content, and nothing is removed before the new page has its name, so
that a page always finds the rows that it was written with.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from avpipe.files import write_text
from avpipe.report.page import shown

ROWS_A_FILE = 50


def script_json(value: Any) -> Markup:
    """Plain data as JSON that may stand in a script or in a page, and that no name in it can end.

    Control characters and bytes that are no UTF-8 stand as escapes that are seen.
    """
    return Markup(json.dumps(_shown(value), separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026"))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {key: _shown(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(part) for part in value]
    return value


class RowFiles:
    """Takes the rows of a page one by one; the first ones stay for the page itself, the others go into files.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first: list[Any] = []
        self.names: list[str] = []
        """Of the files, in order."""
        self._rows: list[Any] = []
        self._num_files = 0

    def add(self, row: Any) -> None:
        self._rows.append(row)
        if len(self._rows) == ROWS_A_FILE:
            self.finish()

    def finish(self) -> None:
        """No row follows, for the file at hand."""
        if not self._rows:
            return
        if self._num_files:
            self._write()
        else:
            self.first = self._rows
        self._num_files += 1
        self._rows = []

    def _write(self) -> None:
        content = f"takeRows({self._num_files},{script_json(self._rows)});\n"
        digest = hashlib.sha256(content.encode()).hexdigest()[:12]
        name = f"{self._num_files:05}-{digest}.js"
        if not (self.folder / name).is_file():
            write_text(self.folder / name, content)
        self.names.append(name)

    def remove_others(self) -> None:
        """Remove the files of earlier pages."""
        for path in self.folder.glob("*-*.js"):
            if path.name not in self.names:
                path.unlink(missing_ok=True)
        if not self.names and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()
