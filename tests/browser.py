"""A headless Chromium, spoken to over the two pipes of --remote-debugging-pipe."""

import base64
import contextlib
import functools
import json
import os
import select
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> str | None:
    """The path of a Chromium or Chrome, if there is one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of requests."""


@contextlib.contextmanager
def static_host(folder: Path) -> Iterator[str]:
    """The address at which the files of a folder are served."""
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class Page:
    """Context with one page; `events` is all that the browser said of it."""

    def __init__(
        self, program: str, profile: Path, flags: tuple[str, ...] = (), **media: str
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self._replies: dict[int, dict[str, Any]] = {}
        self._number, self._left = 0, b""
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        always = f"--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --mute-audio \
            --remote-debugging-pipe --user-data-dir={profile}"
        line = (
            f'exec "{program}" {always} {shlex.join(flags)} about:blank 3<&{to_read} 4>&{to_write}'
        )
        self._process = subprocess.Popen(
            ["bash", "-c", line], pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        features = [{"name": name.replace("_", "-"), "value": v} for name, v in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def open(self, path: Path) -> None:
        """Show a file and wait until it is loaded."""
        self.visit(path.resolve().as_uri())

    def visit(self, address: str) -> None:
        """Show an address and wait until it is loaded."""
        self.call("Page.navigate", url=address)
        self._until(lambda: any(e["method"] == "Page.loadEventFired" for e in self.events))

    def size(self, width: int, height: int) -> None:
        """Pretend to have such a screen."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        asked: dict[str, Any] = {
            "expression": expression,
            "awaitPromise": True,
            "returnByValue": True,
        }
        asked["userGesture"] = True  # else nothing may play
        reply = self.call("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def errors(self) -> list[dict[str, Any]]:
        """What the console or the log complained of."""
        return [
            event
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
            or (event["method"], event["params"].get("type"))
            in {("Runtime.consoleAPICalled", "error"), ("Runtime.consoleAPICalled", "warning")}
            or (
                event["method"] == "Log.entryAdded"
                and event["params"]["entry"]["level"] in ("error", "warning")
            )
        ]

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def until(self, expression: str, seconds: float = 60.0) -> Any:
        """The value of an expression, once it is true."""
        deadline = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.1)
        return value

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        names = [str(file.resolve()) for file in files]
        self.call("DOM.setFileInputFiles", nodeId=node, files=names)

    def processor_seconds(self) -> float:
        """Processor time of the browser, all its processes. Linux only."""
        parents, ticks = {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it ended
                fields = path.read_text().rpartition(")")[2].split()
                number = int(path.parent.name)
                parents[number], ticks[number] = int(fields[1]), int(fields[11]) + int(fields[12])
        ours = {self._process.pid}
        while more := {each for each, parent in parents.items() if parent in ours} - ours:
            ours |= more
        return sum(ticks[each] for each in ours) / os.sysconf("SC_CLK_TCK")

    def until_file(self, path: Path, seconds: float = 30.0) -> Path:
        """A file that is downloaded, once it is there."""
        deadline = time.monotonic() + seconds
        while not path.exists():
            assert time.monotonic() < deadline, f"{path.name} never came"
            time.sleep(0.05)
        return path

    def picture(self, path: Path) -> None:
        """A PNG of the whole page."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def show_as(self, name: str, width: int, scheme: str) -> None:
        """Show the page that wide, light or dark; a picture of it where SCREENSHOTS says."""
        self.size(width, 900)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        if folder := os.environ.get("SCREENSHOTS"):
            self.picture(Path(folder) / f"{name}-{width}-{scheme}.png")

    def accessibility_violations(self) -> list[tuple[str, str]]:
        """Rules that axe-core finds broken, and how badly."""
        axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
        self.ask(axe + ";0")
        audit = "axe.run().then((result) => JSON.stringify(result.violations))"
        return [(each["id"], each["impact"]) for each in json.loads(self.ask(audit))]

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """A command of the DevTools protocol and its result."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        self._until(lambda: number in self._replies)
        reply = self._replies.pop(number)
        assert "error" not in reply, reply["error"]
        return reply["result"]

    def _until(self, condition, seconds: float = 40.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self._read, 1 << 16)
            assert read, "the browser has gone"
            *messages, self._left = (self._left + read).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._replies[message["id"]] = message
                else:
                    self.events.append(message)
