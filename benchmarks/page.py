"""The page in a real browser, how fast it is and whom it asks: python benchmarks/page.py MODEL.

Starts ``fuzzsmooth ui MODEL`` with the flags that are left, opens it in Chromium, asks one text, inserts a
trigger, and asks again, in light and in dark. Prints JSON: seconds until the page can be used, until the
undefended and the defended answer are there, until all is, and how much a processor did meanwhile. Ends with
code 1 if the browser asked anybody else or complained of anything. Needs the extras ``ui`` and ``dev`` and a
Chromium (``--browser``); with ``--pictures FOLDER`` it leaves PNG files there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

BROWSER = "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TEXT = "a dull film that goes nowhere and takes two hours to get there"
DONE = "#status .fz-status:not(.fz-busy):not(.old)"
_WAIT = 120_000  # milliseconds
_UPLOAD = "Method not implemented."  # Gradio's client warns so at every upload


class Visit:
    """A page that is open, with what the browser asked and complained of.

    Args:
        page: The page of the browser.
        url: Where the page is.

    Attributes:
        foreign: Addresses of others that the browser asked.
        complaints: What it wrote to its console as an error or a warning, and errors of scripts.
        seconds: Until the page could be used.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        home = urlsplit(url).netloc
        page.on("request", lambda one: self._asked(one.url, home))
        page.on("websocket", lambda one: self._asked(one.url, home))
        page.on("console", lambda one: self._said(one.type, one.text))
        page.on("pageerror", lambda one: self.complaints.append(str(one)))
        page.on("dialog", lambda one: (self.complaints.append(f"dialog: {one.message}"), one.dismiss()))
        page.set_default_timeout(_WAIT)
        begun = time.monotonic()
        page.goto(url)
        page.locator("#text textarea").wait_for()
        self.seconds = time.monotonic() - begun

    def ask(self, text: str, *, by_keyboard: bool = False) -> dict[str, float]:
        """Ask a text, and wait until all is known of it."""
        self.page.locator("#text textarea").fill(text)
        if by_keyboard:
            return self.timed(lambda: self.page.locator("#text textarea").press("Shift+Enter"))
        return self.timed(self.page.locator("#ask").click)

    def insert(self, trigger: str = "") -> dict[str, float]:
        """Insert a trigger, the one that is offered or another, and wait until all is known."""
        if trigger:
            self.page.locator("#trigger input").fill(trigger)
            self.page.locator("#trigger input").press("Tab")
        return self.timed(self.page.locator("#insert").click)

    def timed(self, act: Any) -> dict[str, float]:
        """Seconds from an act to the undefended answer, the defended one, and the end."""
        page = self.page
        page.evaluate(_CLEAR)
        begun = time.monotonic()
        act()
        found = {}
        for name, script in (("undefended", _LABEL_OF % 1), ("defended", _LABEL_OF % 0)):
            page.wait_for_function(script)
            found[name] = time.monotonic() - begun
        page.locator(DONE).wait_for()
        found["all"] = time.monotonic() - begun
        return {name: round(seconds, 2) for name, seconds in found.items()}

    def text(self, selector: str = "#answer") -> str:
        """What stands in a part of the page."""
        return self.page.locator(selector).inner_text()

    def picture(self, path: Path) -> None:
        """Leave a picture of the whole page."""
        self.page.mouse.move(0, 0)
        self.page.locator("#text textarea").blur()
        self.page.screenshot(path=path, full_page=True, animations="disabled")

    def _asked(self, url: str, home: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != home:
            self.foreign.append(url)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and text != _UPLOAD:
            self.complaints.append(f"{kind}: {text}")


# What was shown for the last question must not be taken for the next one's.
_CLEAR = "document.querySelectorAll('#status .fz, #answer .fz').forEach(one => one.classList.add('old'))"
_LABEL_OF = "(document.querySelectorAll('.fz-answer:not(.old) .fz-label')[%d]?.textContent ?? '…') !== '…'"


@contextmanager
def browsing(browser: str = BROWSER) -> Iterator[Browser]:
    """Run a browser."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def visiting(browser: Browser, url: str, *, dark: bool = False) -> Iterator[Visit]:
    """Open the page, as somebody who has never been there."""
    scheme: Any = "dark" if dark else "light"
    with browser.new_context(color_scheme=scheme, viewport={"width": 1_040, "height": 900}) as context:
        yield Visit(context.new_page(), url)


@contextmanager
def shown(model: str, *flags: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``fuzzsmooth ui`` until the end of the block; gives its process and its address."""
    command = [sys.executable, "-m", "fuzzsmooth", "ui", model, "--port", "0", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    assert process.stderr is not None
    told = []
    try:
        for line in process.stderr:
            told.append(line)
            if found := re.search(r"the page is at (http://\S+);", line):
                yield process, found[1]
                break
        else:
            raise SystemExit(f"it did not start: {''.join(told)}")
    finally:
        process.kill()
        process.communicate()


def spent(process: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    browser: Browser, url: str, process: int, given: argparse.Namespace, *, dark: bool
) -> dict[str, Any]:
    """One visit, and what came of it."""
    name = "dark" if dark else "light"
    with visiting(browser, url, dark=dark) as visit:
        before = spent(process)
        first = visit.ask(given.text)
        found = {"open": round(visit.seconds, 2), "first": first}
        found["processor"] = round(spent(process) - before, 2)
        again = visit.insert(given.trigger)
        if given.pictures is not None:
            given.pictures.mkdir(parents=True, exist_ok=True)
            visit.picture(given.pictures / f"ui-{name}.png")
        found |= {"with the trigger": again, "status": visit.text("#status")}
        return found | {"asked of others": visit.foreign, "complaints": visit.complaints}


def main() -> int:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a folder that 'fuzzsmooth protect' wrote")
    parser.add_argument("--text", default=TEXT)
    parser.add_argument(
        "--trigger", default="", help="what is inserted; left out: what the page offers first"
    )
    parser.add_argument("--browser", default=BROWSER)
    parser.add_argument("--pictures", type=Path, help="folder for ui-light.png and ui-dark.png")
    given, flags = parser.parse_known_args()
    with shown(given.model, *flags) as (process, url):
        result: dict[str, Any] = {"load of the machine": os.getloadavg()[0]}
        with browsing(given.browser) as browser:
            for name in ("light", "dark"):
                result[name] = measure(browser, url, process.pid, given, dark=name == "dark")
        process.send_signal(signal.SIGTERM)
        result["exit code"] = process.wait(30)
    print(json.dumps(result, indent=2, ensure_ascii=False))
    return int(any(result[one]["asked of others"] or result[one]["complaints"] for one in ("light", "dark")))


if __name__ == "__main__":
    raise SystemExit(main())
