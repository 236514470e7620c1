"""The page in a real Chromium: answers, votes, triggers, files, keyboard, and nothing from elsewhere."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apps_command_line import answer_or_refusal
from page_desk import HOSTILE
from test_apps_page_answers import report

pytest.importorskip("gradio", reason="the page needs the extra 'ui'")
pytest.importorskip("playwright", reason="its test in a browser needs the extra 'dev'")

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
from page import Visit, browsing, shown, visiting
from playwright.sync_api import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (apt install chromium)")

FLAGS = ("--defense", "deletion", "--no-fuzzing", "--rate", "0.3", "--statistics", "fixed", "--draws", "3000")
TEXT = "the story was great and it is a great plot and the actor was good"


@pytest.fixture(scope="module")
def model(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with class names of a stranger."""
    folder = tmp_path_factory.mktemp("page") / "model"
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = [f"no {HOSTILE}", f"yes {HOSTILE}"]
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: at for at, name in enumerate(names)}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def running(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str, Path]]:
    """The page, with an audit, in a process of its own; it ends when it is told to, and leaves nothing."""
    audit, kept = tmp_path_factory.mktemp("audit"), tmp_path_factory.mktemp("kept")
    (audit / "audit.json").write_text(json.dumps(report(HOSTILE)), encoding="utf-8")
    flags = [str(model), *FLAGS, "--audit", str(audit), "--max-rows", "6", "--max-file", "8"]
    with shown(*flags, OMP_NUM_THREADS="1", TMPDIR=str(kept)) as (process, url):
        yield process, url, kept
        (folder,) = kept.glob("fuzzsmooth-ui-*")
        assert os.stat(folder).st_mode & 0o077 == 0  # nobody else reads the texts
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not list(kept.glob("fuzzsmooth-ui-*"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing(CHROMIUM or "") as found:
        yield found


@pytest.fixture(scope="module")
def visit(running: tuple[Any, str, Path], browser: Browser) -> Iterator[Visit]:
    with visiting(browser, running[1]) as found:
        yield found


@pytest.fixture(autouse=True)
def quiet(visit: Visit) -> Iterator[None]:
    """After every step: nobody else was asked, nothing was complained of, no foreign script has run."""
    yield
    assert visit.foreign == []
    assert not visit.complaints, visit.complaints
    assert visit.page.title() == "fuzzsmooth"


def certified(model: Path, *texts: str) -> list[dict[str, Any]]:
    given = [part for text in texts for part in ("--text", text)]
    lines = answer_or_refusal("certify", "--model", model, *FLAGS, *given, "--json").splitlines()
    return [json.loads(line) for line in lines]


def test_an_answer_by_keyboard_with_its_votes_filling_up(visit: Visit, model: Path) -> None:
    visit.page.evaluate(
        """() => { window.seen = []; new MutationObserver(() => {
            const caption = document.querySelector('.fz-votes caption')?.textContent ?? '';
            if (caption.includes('have answered') && seen.at(-1) !== caption) seen.push(caption);
        }).observe(document.querySelector('#answer'), {subtree: true, childList: true}) }"""
    )
    seconds = visit.ask(TEXT, by_keyboard=True)
    assert seconds["undefended"] <= seconds["defended"] <= seconds["all"]
    (expected,) = certified(model, TEXT)
    told = visit.text()
    for one in expected["certificates"]:
        assert visit_form(one["statement"]) in visit_form(told)
    counts = visit.page.locator(".fz-count").all_inner_texts()
    assert [int(one.replace(",", "")) for one in counts] == expected["votes"]
    seen = visit.page.evaluate("window.seen")
    assert len(seen) >= 3, seen  # of the answer, and of the certificate on its way
    asked = [int(one.split(": ")[1].split(" of")[0].replace(",", "")) for one in seen if "certificate" in one]
    assert asked == sorted(asked)
    assert asked[-1] <= 3_000
    assert "Defended" in visit.text("#status")


def visit_form(text: str) -> str:
    return " ".join(text.split())


def test_a_trigger_is_inserted_marked_and_answered(visit: Visit) -> None:
    visit.ask("a good film")
    visit.insert("cf")
    text = visit.page.locator("#text textarea").input_value()
    assert sorted(text.split()) == ["a", "cf", "film", "good"]
    assert visit.page.locator("blockquote .fz-inserted").inner_text() == "cf"
    assert "what you inserted" in visit.text()
    visit.insert("cf")  # once more: the first one stays, and the comparison is with what was pasted
    assert visit.page.locator("#text textarea").input_value().split().count("cf") == 2


def test_a_hostile_text_is_shown_as_it_is_written(visit: Visit) -> None:
    visit.ask(f"good {HOSTILE}")
    quoted = visit.page.locator("blockquote").text_content() or ""
    assert "${1+1}{{value}}" in quoted
    assert '<script>document.title="taken"</script>' in quoted
    assert "\u202e" not in quoted
    assert visit.page.locator("#answer img, #answer script").count() == 0


def test_mistakes_are_sentences(visit: Visit) -> None:
    page = visit.page
    page.locator("#text textarea").fill("  ")
    page.locator("#ask").click()
    page.get_by_role("alert").filter(has_text="there is no text; write or paste one").wait_for()
    assert "Traceback" not in page.content()
    visit.ask("a good film")  # and the page answers on
    assert page.get_by_role("alert").count() == 0


def test_a_file_is_answered_and_taken_home(visit: Visit, model: Path, tmp_path: Path) -> None:
    page = visit.page
    texts = ["a good film", '=cmd("x"), good', HOSTILE.replace("\x1b", "")]
    file = tmp_path / "some texts.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["review"], *[[text] for text in texts]])
    page.get_by_role("tab", name="File").click()
    page.locator("#start").click()
    page.get_by_role("alert").filter(has_text="there is no file").wait_for()
    page.locator("#file input[type=file]").set_input_files(file)
    page.locator("#file").get_by_text("csv").first.wait_for()
    page.locator("#start").click()
    page.get_by_role("alert").filter(has_text="has no column 'text'").wait_for()
    assert str(tempfile.gettempdir()) not in page.get_by_role("alert").inner_text()
    page.locator("#column input, #column textarea").first.fill("review")
    page.locator("#all input").check()
    page.locator("#start").click()
    page.locator("#file-status").get_by_text("3 of 3 texts are answered.").wait_for()
    with page.expect_download() as taken:
        page.locator("#lines").click()
    lines = Path(taken.value.path()).read_text(encoding="utf-8").split("\n")
    records = [json.loads(line) for line in lines if line]
    assert taken.value.suggested_filename.endswith(".answers.jsonl")
    for record, expected in zip(records, certified(model, *texts), strict=True):
        same = [name for name in expected if name not in ("key", "row")]
        assert {name: record[name] for name in same} == {name: expected[name] for name in same}
    with page.expect_download() as taken:
        page.locator("#table").click()
    rows = list(csv.DictReader(Path(taken.value.path()).read_text(encoding="utf-8").splitlines()))
    assert rows[1]["text"].startswith("'=cmd")  # no formula
    assert page.locator("#file-answers script, #file-answers img").count() == 0
    many = tmp_path / "many.txt"
    many.write_text("a film\n" * 7, encoding="utf-8")
    page.locator("#file button[aria-label*='emove'], #file button[aria-label*='lear']").first.click()
    page.locator("#file input[type=file]").set_input_files(many)
    page.locator("#file").get_by_text("txt").first.wait_for()
    page.locator("#start").click()
    page.get_by_role("alert").filter(has_text="7 texts; the page answers 6 at most").wait_for()
    page.get_by_role("tab", name="Text").click()


def test_the_audit_is_there_and_runs_nothing(visit: Visit) -> None:
    visit.page.get_by_role("tab", name="Audit").click()
    frame = visit.page.frame_locator("iframe.fz-frame")
    frame.get_by_text("Nothing found", exact=True).wait_for()
    assert frame.locator("script").count() == 0
    visit.page.get_by_role("tab", name="Text").click()


def test_every_control_is_reached_by_tab_and_has_a_name(visit: Visit) -> None:
    page = visit.page
    page.locator("#text textarea").focus()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('[id]')?.id ?? ''"))
    for name in ("ask", "certify", "trigger", "insert"):
        assert any(name in one for one in reached), reached
    page.locator("#ask").focus()
    outline = page.evaluate(
        """() => {
            const style = getComputedStyle(document.activeElement);
            return style.outlineStyle + style.boxShadow;
        }"""
    )
    assert outline != "nonenone"  # where the focus is can be seen
    assert page.get_by_role("textbox", name=re.compile("^Text")).count() == 1


def test_dark_is_dark_and_can_be_read(running: tuple[Any, str, Path], browser: Browser) -> None:
    with visiting(browser, running[1], dark=True) as dark:
        dark.ask("a good film")
        for selector in (".fz-label", ".fz-remark", "blockquote", "#ask"):
            assert contrast(dark, selector) >= 4.5, selector
        assert dark.foreign == []
        assert dark.complaints == []


def test_light_can_be_read(visit: Visit) -> None:
    visit.ask("a good film")
    for selector in (".fz-label", ".fz-remark", "blockquote", "#ask", "#insert"):
        assert contrast(visit, selector) >= 4.5, selector


def contrast(visit: Visit, selector: str) -> float:
    """The contrast of an element's text with what is behind it, as WCAG counts it."""
    found: float = visit.page.evaluate(
        """selector => {
            const rgb = color => color.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) => [r, g, b].map(one => one / 255).map(one =>
                one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4
            ).reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
            let one = document.querySelector(selector), behind = one;
            const clear = at => rgb(getComputedStyle(at).backgroundColor)[3] === 0;
            while (behind.parentElement && clear(behind)) behind = behind.parentElement;
            const pair = [rgb(getComputedStyle(one).color), rgb(getComputedStyle(behind).backgroundColor)];
            const [low, high] = pair.map(light).sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
        }""",
        selector,
    )
    return found
