"""Chromium without a window, driven over its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from antiphon.wire.json import JSON, JSONObject

SECONDS = 20.0
"""Time after which a test considers the browser stuck."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
)


def program() -> str:
    """Return the path of the browser."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    assert found, "make test-browser installs Chromium where it can; install it"
    return found


class Tab:
    """A tab of the browser with a session of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._number = 0
        self.events: list[JSONObject] = []
        """Events of the browser, the latest ones last."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: JSON) -> JSONObject:
        """Call a method and return its result."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message: JSONObject = json.loads(self._connection.recv(timeout=SECONDS))
            if message.get("id") == self._number:
                if "error" in message:
                    raise BrowserError(message["error"]["message"])
                result: JSONObject = message["result"]
                return result
            self.events.append(message)

    def open(self, url: str) -> None:
        """Open an address and wait until its page is loaded."""
        self.events.clear()
        self.send("Page.navigate", url=url)
        self._wait_for("Page.loadEventFired")

    def run(self, script: str) -> JSON:
        """Return the value of an expression on the page."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"])[:1000])
        return answer["result"].get("value")

    def until(self, condition: str) -> JSON:
        """Wait until an expression on the page is true, and return its value."""
        script = (
            "new Promise((resolve) => { const look = () => { const found = "
            f"({condition}); if (found) resolve(found); else setTimeout(look, 20); }}; look(); }})"
        )
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return self.run(script)
            except BrowserError:  # The page gave way to another one meanwhile.
                if time.monotonic() > deadline:
                    raise

    def text(self, selector: str = "body") -> str:
        """Return the visible text of an element."""
        text: str = self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return text

    def click(self, selector: str) -> None:
        """Click at the middle of an element."""
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect(); "
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )

    def press(self, key: str) -> None:
        """Press a key; a character is also typed."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        code = {"windowsVirtualKeyCode": 13} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def fill(self, selector: str, text: str) -> None:
        """Type a text into a field."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.send("Input.insertText", text=text)

    def submit(self, selector: str) -> None:
        """Click a button that leads to another page, and wait for it."""
        self.events.clear()
        self.click(selector)
        self._wait_for("Page.loadEventFired")

    def style(self, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Set the size of the window and the color scheme."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.send("Emulation.setScrollbarsHidden", hidden=True)  # They would cover a part of screenshots.
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def scripts(self, *, on: bool) -> None:
        """Switch the scripts of pages on or off."""
        self.send("Emulation.setScriptExecutionDisabled", value=not on)

    def screenshot(self, path: Path) -> None:
        """Write the whole page as an image, whose format is the end of its name: PNG or WebP."""
        path.parent.mkdir(parents=True, exist_ok=True)
        form: JSONObject = {"format": "webp", "quality": 50} if path.suffix == ".webp" else {"format": "png"}
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True, **form)
        path.write_bytes(base64.b64decode(shot["data"]))

    def problems(self) -> list[str]:
        """Return what the browser complained about since the page was opened, such as violated policies."""
        self.send("Runtime.evaluate", expression="1")
        found = [e["params"]["entry"]["text"] for e in self.events if e["method"] == "Log.entryAdded"]
        return found + [
            json.dumps(e["params"]) for e in self.events if e["method"] == "Runtime.exceptionThrown"
        ]

    def received(self) -> int:
        """Return the bytes that the browser has received since the page was opened."""
        self.send("Runtime.evaluate", expression="1")
        return sum(
            int(e["params"]["encodedDataLength"])
            for e in self.events
            if e["method"] == "Network.loadingFinished"
        )

    def addresses(self) -> list[str]:
        """Return the addresses that the browser requested since the page was opened."""
        self.send("Runtime.evaluate", expression="1")
        return [
            e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"
        ]

    def _wait_for(self, event: str) -> None:
        while not any(each.get("method") == event for each in self.events):
            self.events.append(json.loads(self._connection.recv(timeout=SECONDS)))


class BrowserError(Exception):
    """A call that the browser refused, or a script that failed."""


class Chromium:
    """A running browser."""

    def __init__(self, port: int) -> None:
        self._origin = f"http://127.0.0.1:{port}"

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """Open a tab that shares no cookies with others."""
        with urlopen(f"{self._origin}/json/version", timeout=SECONDS) as answer:
            browser = json.load(answer)["webSocketDebuggerUrl"]
        with connect(browser, max_size=None) as control:
            own = _call(control, "Target.createBrowserContext")["browserContextId"]
            target = _call(control, "Target.createTarget", url="about:blank", browserContextId=own)[
                "targetId"
            ]
            address = f"{self._origin}/devtools/page/{target}".replace("http:", "ws:")
            with connect(address, max_size=None) as connection:
                yield Tab(connection)
            _call(control, "Target.disposeBrowserContext", browserContextId=own)


@contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """Run the browser with a new profile in a folder."""
    port_file = folder / "DevToolsActivePort"
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [program(), *_FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + SECONDS
        while not (port_file.exists() and port_file.read_text().count("\n")):
            assert process.poll() is None, (folder / "chromium.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the browser did not start"
            time.sleep(0.05)
        yield Chromium(int(port_file.read_text().split("\n")[0]))
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)


def _call(connection: Connection, method: str, **params: JSON) -> JSONObject:
    connection.send(json.dumps({"id": 1, "method": method, "params": params}))
    while True:
        message: JSONObject = json.loads(connection.recv(timeout=SECONDS))
        if message.get("id") == 1:
            result: JSONObject = message["result"]
            return result
