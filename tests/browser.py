"""A headless Chromium, driven over a pipe in its DevTools protocol by the standard library alone."""

import fcntl
import functools
import http.server
import json
import os
import select
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
)
PATIENCE = 60.0  # seconds for any answer; none takes more than a few on an idle machine


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The address under which a folder is served."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Browser:
    """One tab. `events` are those since the last `open`."""

    def __init__(self) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            raise FileNotFoundError(f"the test of the site needs one of {', '.join(NAMES)}; see CONTRIBUTING.md")
        self.events: list[dict] = []
        self._unread = b""
        self._calls = 0
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        theirs = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in (theirs_in, theirs_out)]
        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            preexec_fn=lambda: [os.dup2(mine, its) for mine, its in zip(theirs, (3, 4), strict=True)],
            close_fds=False,  # Python's descriptors are closed by themselves, and 3 and 4 are what the pipe needs
            stderr=subprocess.DEVNULL,
        )
        for each in (theirs_in, theirs_out, *theirs):
            os.close(each)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Network.setCacheDisabled", cacheDisabled=True)

    def call(self, method: str, **parameters: object) -> dict:
        """The result of a method of the protocol."""
        self._calls += 1
        message: dict = {"id": self._calls, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._calls:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, address: str, width: int, height: int = 900) -> None:
        """Loads a page with its fonts, and waits until it is drawn."""
        self.resize(width, height)
        self.events.clear()
        self.call("Page.navigate", url=address)
        self._wait("Page.loadEventFired")
        self.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")

    def resize(self, width: int, height: int = 900) -> None:
        """Sets the size of the window."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def evaluate(self, script: str) -> object:
        """The value of a script, or of what it promises."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def close(self) -> None:
        """Ends the process."""
        self._session = None
        self.call("Browser.close")
        self._process.wait(PATIENCE)
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def _wait(self, method: str) -> None:
        while all(event["method"] != method for event in self.events):
            self._read()

    def _read(self) -> dict:
        while b"\0" not in self._unread:
            if not select.select([self._from], [], [], PATIENCE)[0]:
                raise TimeoutError(f"Chromium has said nothing for {PATIENCE:.0f} s")
            self._unread += os.read(self._from, 1 << 16)
        first, _, self._unread = self._unread.partition(b"\0")
        message = json.loads(first)
        if "method" in message:
            self.events.append(message)
        return message
