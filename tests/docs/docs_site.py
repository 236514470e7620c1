"""The built documentation site, read as a browser would: what its pages load, link to and are called by."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docs_pages import ROOT

HOOKS = ROOT / "docs" / "hooks"
if str(HOOKS) not in sys.path:
    sys.path.append(str(HOOKS))

_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
_HINTS = {"canonical", "alternate", "edit", "next", "prev", "search"}  # relations that load nothing


@dataclass
class Page(HTMLParser):
    """What a page refers to.

    Attributes:
        loads: What a browser fetches by itself.
        links: What a reader may follow.
        ids: The places inside of it that a link may name.
    """

    text: str
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and not set(given.get("rel", "").split()) & _HINTS:
            self.loads.append(given["href"])
        if given.get(_LOADED.get(tag, "")):
            self.loads.append(given[_LOADED[tag]])

    @property
    def foreign(self) -> list[str]:
        """What it fetches from elsewhere."""
        return [one for one in self.loads if urlsplit(one).netloc]


def read_pages(site: Path) -> dict[Path, Page]:
    """All pages of a site."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def broken(pages: dict[Path, Page]) -> list[str]:
    """Links and loads inside of the site that lead nowhere."""
    found = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links begin at the root of a server
        for link in {*page.links, *page.loads}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].ids):
                found.append(f"{path.name}: {link}")
    return found
