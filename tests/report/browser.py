"""A headless Chromium that opens a page from the disk, runs what a test types, and is asked what it shows."""

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--window-size=1280,1100",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0", "--proxy-server=127.0.0.1:9",
)  # fmt: skip


class Browser:
    """One page, by the DevTools protocol."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._loop = asyncio.new_event_loop()
        self.complaints: list[str] = []
        """Errors of scripts, and what the page's policy refused."""
        self.asked_for: list[str] = []
        """Every address that the page has loaded."""
        self._loop.run_until_complete(self._connect())

    async def _connect(self) -> None:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._address, max_msg_size=0)
        self._number = 0

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads((await asyncio.wait_for(self._socket.receive(), 60)).data)
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown" or method == "Page.javascriptDialogOpening":
            self.complaints.append(json.dumps(told)[:500])
        elif method == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.asked_for.append(told["request"]["url"])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._loop.run_until_complete(self._call(method, **parameters))

    def open(self, page: Path, asked: str = "") -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=page.absolute().as_uri() + asked)
        self.wait_for("document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:
        """The value of an expression of the page's language, or of what it promises."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait_for(self, expression: str) -> None:
        for _ in range(300):
            if self.ask(expression):
                return
            time.sleep(0.05)
        raise AssertionError(f"never came true: {expression}")

    def enter(self, field: str, value: str) -> None:
        """Put a value into the field of that id, as typing would."""
        place = f"document.getElementById({json.dumps(field)})"
        self.ask(f"{place}.value = {json.dumps(value)}; {place}.dispatchEvent(new Event('input'))")

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        self._loop.run_until_complete(self._session.close())
        self._loop.close()


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser without a network."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [str(CHROMIUM), *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            browser = Browser(_page_address(Path(profile)))
            yield browser
            browser.close()
        finally:
            process.kill()
            process.wait()


def _page_address(profile: Path) -> str:
    async def targets(port: str) -> list[dict[str, Any]]:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/json") as reply:
            return list(await reply.json())

    for _ in range(600):
        found = profile / "DevToolsActivePort"
        if found.is_file() and (lines := found.read_text().splitlines()):
            pages = [each for each in asyncio.run(targets(lines[0])) if each["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("Chromium did not start")
