"""A headless Chromium, driven over its own DevTools protocol: no driver, no further library.

What it is asked is in `Page`; every host that it asks for is noted.
"""

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

#: The page has a hundred operations to draw, and the machine may be busy.
_PATIENCE_S = 120
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", "--window-size=1280,1600",
)  # fmt: skip
#: Where to click for an element: null until it has kept its place over three pictures with nothing
#: before it. Until `window.clickWatch` is ended the mouse reaches nothing else; `window.clickMet`
#: says whether it has reached it.
_AIM = """async (selector) => {
  const sought = document.querySelector(selector)
  if (!sought) return null
  const drawn = () => new Promise(requestAnimationFrame)
  const place = () => {
    const box = sought.getBoundingClientRect()
    return [box.x, box.y, box.width, box.height]
  }
  sought.scrollIntoView({block: 'center', behavior: 'instant'})
  let [x, y, width, height] = place()
  for (let picture = 0; picture < 3; picture++) {
    await drawn()
    if (place().join() !== [x, y, width, height].join()) return null
  }
  const middle = [x + width / 2, y + height / 2]
  if (!sought.contains(document.elementFromPoint(...middle))) return null
  window.clickMet = false
  window.clickWatch = new AbortController()
  for (const kind of ['mousedown', 'mouseup', 'click']) {
    window.addEventListener(kind, (event) => {
      if (!sought.contains(event.target)) {
        event.stopImmediatePropagation()
        event.preventDefault()
      } else if (kind === 'click') window.clickMet = true
    }, {capture: true, signal: window.clickWatch.signal})
  }
  return middle
}"""


class Page:
    """One page: JavaScript, real clicks and keys, screenshots, and the addresses it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.complaints: list[str] = []

    async def listen(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            elif said["method"] == "Network.requestWillBeSent":
                self.asked.append(said["params"]["request"]["url"])
            elif said["method"] == "Runtime.exceptionThrown":
                self.complaints.append(said["params"]["exceptionDetails"]["text"])
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.complaints.append(said["params"]["entry"]["text"])

    async def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        said = await asyncio.wait_for(answer, _PATIENCE_S)
        assert "error" not in said, said
        return said["result"]

    async def open(self, url: str) -> None:
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.do(f"{domain}.enable")
        await self.do("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """The value of an expression in the page; of a promise, what it comes to."""
        said = await self.do(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def when(self, script: str) -> Any:
        """The value of an expression as soon as it is true."""
        async with asyncio.timeout(_PATIENCE_S):
            while not (value := await self.run(script)):  # noqa: ASYNC110  Chromium tells nobody
                await asyncio.sleep(0.05)
        return value

    async def click(self, selector: str) -> None:
        """Clicks the middle of an element with the mouse, once it is there and stands still.

        A page that is still being drawn moves: a click that would meet another element is kept
        from it and made again.
        """
        found = json.dumps(selector)
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                x, y = await self.when(f"({_AIM})({found})")
                for kind in ("mousePressed", "mouseReleased"):
                    await self.do(
                        "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
                    )
                met = await self.run("window.clickWatch?.abort(), window.clickMet")
                if met is not False:  # nothing, where the click has led to another page
                    return

    async def type(self, selector: str, text: str) -> None:
        await self.click(selector)
        await self.do("Input.insertText", text=text)

    async def text(self, selector: str) -> str:
        return await self.when(f"document.querySelector({json.dumps(selector)})?.innerText")

    async def look_at_all_of_it(self) -> None:
        """A window as high as the whole page, which draws only what is looked at."""
        await self.do(
            "Emulation.setDeviceMetricsOverride",
            width=1280, height=20000, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    async def photograph(self, path: Path) -> None:
        said = await self.do("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(said["data"]))  # noqa: ASYNC240  a test, one file

    @property
    def hosts(self) -> set[str]:
        """Whom the page asked; `data:` addresses ask nobody."""
        return {urlsplit(url).netloc for url in self.asked if not url.startswith("data:")}


@asynccontextmanager
async def a_page() -> AsyncIterator[Page]:
    """An empty page of a new browser, which ends with the block."""
    program = shutil.which("chromium")
    assert program, "Chromium is not installed: .ci/install-browser"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            program,
            *_FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # its helpers end with it
        )
        try:
            port = await _port(Path(profile) / "DevToolsActivePort", browser)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    targets = await answer.json()
                target = next(one for one in targets if one["type"] == "page")
                async with session.ws_connect(
                    target["webSocketDebuggerUrl"], max_msg_size=0
                ) as socket:
                    page = Page(socket)
                    listening = asyncio.create_task(page.listen())
                    yield page
                    listening.cancel()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            await browser.wait()


async def _port(note: Path, browser: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(_PATIENCE_S):
        while not (said := _read(note)):
            assert browser.returncode is None, "Chromium ended before it began."
            await asyncio.sleep(0.05)
    return int(said.split()[0])


def _read(note: Path) -> str:
    return note.read_text().strip() if note.exists() else ""
