"""Desks for tests of the page: models of a few words that answer at once, and what they say."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any

from fuzzsmooth.apps.page.asking import Desk, Question, Seen
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.jobs.loading import Defended
from fuzzsmooth.models.stubs import AdditiveClassifier

WEIGHTS = {"good": 2.0, "fine": 1.0, "dull": -1.5, "bad": -2.0, "cf": 9.0}
HOSTILE = '<script>document.title="taken"</script><img src=x onerror=alert(1)>\u202e${1+1}{{value}}\x1b[31m'


def desk(
    defense: str = "deletion", *, labels: Iterable[str] = ("negative", "positive"), **options: Any
) -> Desk:
    """A desk around a model of a few words."""
    model = AdditiveClassifier(WEIGHTS, labels=tuple(labels))
    kind = DEFENSES.get(defense)
    given = {"fuzzing": False, "draws": 200, "rate": 0.3} | options if defense == "deletion" else options
    inner = kind(model, kind.options_type.from_mapping(given))
    return Desk(Defended(inner, model, {}), longest=1_000)  # type: ignore[arg-type]


def asked(where: Desk, text: str, **more: Any) -> list[Seen]:
    """All that is told of a text."""
    return list(where.answer(Question(text, **more)))


class Markup(HTMLParser):
    """What a fragment is for a browser: its elements, and the text between them."""

    def __init__(self, html: str, void: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._void = ("br", "img", "input", *void)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self._void:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]
