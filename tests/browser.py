"""A headless Chromium, driven through its debugging pipe: what a page shows, prints to the console and asks for.

The standard library only: no driver to install, and a page is opened as a person opens a file.
"""

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)
LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser reads at descriptor 3 and writes at 4."""


KEYS: dict[str, dict[str, Any]] = {
    "Tab": {"windowsVirtualKeyCode": 9},
    "Enter": {"windowsVirtualKeyCode": 13, "text": "\r"},
    "ArrowDown": {"windowsVirtualKeyCode": 40},
}


class Tab:
    """One page at a time, and everything that happened since it was opened."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._number, self._session, self._rest = 0, None, b""
        self.events: list[dict[str, Any]] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def open(self, file: Path, anchor: str = "") -> None:
        """Open a file and wait until it is shown."""
        for address in ("about:blank", file.as_uri() + anchor):  # from another page, so that it is loaded anew
            self.events.clear()
            self._ask("Page.navigate", url=address)
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                self._next()

    def run(self, script: str) -> Any:
        """The value of an expression in the page; of a promise what it comes to."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def show_as(self, *, width: int = 1100, height: int = 900, media: str = "", scheme: str = "light") -> None:
        """Size of the window, `print` or the screen, light or dark."""
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._ask("Emulation.setEmulatedMedia", media=media, features=features)

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return b64decode(self._ask("Page.captureScreenshot")["data"])

    def pressed(self, key: str) -> None:
        """A key that somebody presses and lets go."""
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, **KEYS[key])

    def allow_scripts(self, is_allowed: bool) -> None:
        """Whether a page that is opened from now on may run its scripts; `run` still looks into it."""
        self._ask("Emulation.setScriptExecutionDisabled", value=not is_allowed)

    def printed(self) -> bytes:
        """The page on paper, in its own size and margins, as PDF."""
        return b64decode(self._ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])

    def complaints(self) -> list[dict[str, Any]]:
        """What the console shows, uncaught errors, and violations of the page's policy."""
        self.run("1")
        loud = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event for event in self.events if event["method"] in loud]

    def requests(self) -> list[str]:
        """Addresses that the page asked for, itself included."""
        sent = (event["params"] for event in self.events if event["method"] == "Network.requestWillBeSent")
        return [event["request"]["url"] for event in sent]

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._read, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def browser(profile: Path) -> Iterator[Tab]:
    """A browser with a profile of its own; it ends with the block."""
    assert PROGRAM is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    begin = (sys.executable, "-c", LAUNCH, str(theirs_in), str(theirs_out))
    process = subprocess.Popen(
        [*begin, PROGRAM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Tab(ours_out, ours_in)
    finally:
        process.terminate()
        process.wait(30)
        os.close(ours_out)
        os.close(ours_in)
