from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_synthetic import TARGET, synthetic_records, synthetic_settings, write_run

from fuzzsmooth.bench.metrics import summarize
from fuzzsmooth.bench.records import Span, TextRecord
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.report import build_report
from fuzzsmooth.report.tables import percent

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Tags with attributes, text, and whether every element is closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        opened = self.open.pop()
        assert tag == opened, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"), synthetic_records(), synthetic_settings())


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return build_report(run).read_text(encoding="utf-8")


def test_page_is_well_formed_and_needs_no_network(page: str) -> None:
    parsed = Page(page)
    assert parsed.open == []
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "action", "data", "srcset", "style"):
                assert "//" not in (value or "")
                assert name == "style" or (name == "href" and (value or "").startswith("#"))
    names = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert "@import" not in page
    assert not re.search(r"url\((?!#|&quot;#|\"#|'#)", page)


def test_the_page_may_load_and_run_nothing(page: str) -> None:
    """A second fence: were something foreign ever to get through unescaped, it could do nothing."""
    policies = [a for tag, a in Page(page).tags if tag == "meta" and "http-equiv" in a]
    (policy,) = [str(attributes["content"]) for attributes in policies]
    allowed = dict(part.split(maxsplit=1) for part in policy.split(";"))
    assert allowed.pop("style-src") == "'unsafe-inline'"
    assert set(allowed) == {"default-src", "base-uri", "form-action"}
    assert set(allowed.values()) == {"'none'"}
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_a_narrow_screen_is_told_that_the_table_goes_on(page: str) -> None:
    (hint,) = [tag for tag, a in Page(page).tags if a.get("class") == "hint"]
    assert hint == "p"
    narrow = page[page.index("@media (max-width: 640px)") : page.index("@media print")]
    assert ".hint { display: block; }" in narrow
    assert ".hint { display: none;" in page


def test_page_shows_every_part(page: str) -> None:
    parsed = Page(page)
    text = " ".join(parsed.text.split())
    for part in (
        "Defenses",
        "What safety costs",
        "Certificates",
        "Example texts",
        "Published figures",
        "Terms",
    ):
        assert part in text
    assert "fuzzsmooth demo --data reviews --seeds 0,1" in text
    assert "ab" * 32 in text
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert sum(tag == "svg" for tag, _ in parsed.tags) == 5
    assert any(tag == "mark" and "score" in (a.get("title") or "") for tag, a in parsed.tags)
    assert all(a.get("dir") == "auto" for tag, a in parsed.tags if tag == "blockquote")


def test_plots_take_their_colors_from_the_page_in_the_dark_and_on_paper(page: str) -> None:
    used = set(re.findall(r"var\((--line-\d)", page))
    assert len(used) == 3  # of the defenses; the undefended model has the color of the text
    _, dark, paper = re.split(r"@media \(prefers-color-scheme: dark\)|@media print", page)
    for place in range(1, 7):
        assert f"--line-{place}: #" in dark
        assert f"--line-{place}: #" in paper
    assert not re.search(r"(?:fill|stroke): #(?:0072b2|d55e00|009e73)", page)


def test_numbers_on_the_page_and_in_the_summary_come_from_the_records(run: Path, page: str) -> None:
    rows = summarize(synthetic_records(), TARGET)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert summary["version"] == "0.1.0"
    assert summary["settings"] == json.loads((run / "settings.json").read_text(encoding="utf-8"))
    assert summary["rows"] == json.loads(json.dumps([row.to_json() for row in rows]))
    for row in rows:
        for share in (row.ca, row.pa, row.asr, row.asr_floor):
            assert share is not None
            assert percent(share.mean) in page


def test_the_same_inputs_give_the_same_bytes(run: Path, page: str) -> None:
    summary = (run / "summary.json").read_bytes()
    assert build_report(run).read_text(encoding="utf-8") == page
    assert (run / "summary.json").read_bytes() == summary


def test_everything_foreign_is_escaped(tmp_path: Path) -> None:
    records = [
        replace(
            record,
            defense=EVIL,
            text=f"{EVIL}{record.text}",
            trigger=(),
            spans=(Span(0, 8, 0.5),),
            split="clean",
        )
        for record in synthetic_records(4, (0,))
        if record.defense == "frs kl" and record.split == "clean"
    ]
    settings = synthetic_settings(
        labels=[f"{EVIL}0", f"{EVIL}1"],
        command=EVIL,
        version=EVIL,
        dataset={"name": f'"{EVIL}', "fingerprint": EVIL},
        attack={EVIL: EVIL},
        quoted=[{"source": EVIL, "what": EVIL, "value": EVIL}],
        extra=f"'{EVIL}",
    )
    page = build_report(write_run(tmp_path, records, settings)).read_text(encoding="utf-8")
    parsed = Page(page)
    assert "<script" not in page
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert parsed.text.count(EVIL) > 10
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)


def test_hostile_characters_do_not_stop_the_report(tmp_path: Path) -> None:
    text = "\x00 \u202e reversed \u2028 line {{ 7*7 }} {% raw %} ]]> -->"
    record = TextRecord(
        seed=0,
        defense="frs",
        split="clean",
        index=0,
        text=text,
        label=0,
        prediction=0,
        spans=(Span(0, 1, 1.0),),
    )
    page = build_report(write_run(tmp_path, [record], synthetic_settings())).read_text(encoding="utf-8")
    assert "{{ 7*7 }}" in Page(page).text
    assert "\x00" not in page


def test_ablations_have_a_section_of_their_own_and_no_point_in_the_tradeoff(
    tmp_path: Path, page: str
) -> None:
    assert "<h2>Ablations</h2>" not in page
    records = synthetic_records(12)
    extra = [replace(r, defense="deletion-nofuzz") for r in records if r.defense == "deletion"]
    changed = build_report(write_run(tmp_path, [*extra, *records], synthetic_settings()))
    parts = changed.read_text(encoding="utf-8").split("<h2>")
    by_title = {part.partition("</h2>")[0]: part for part in parts[1:]}
    assert "deletion-nofuzz" not in by_title["Defenses"]
    assert "deletion-nofuzz" not in by_title["What safety costs"]
    assert "deletion-nofuzz" not in by_title["Certificates"]
    # The full defense and what is changed in it: measured, and certified against three threats.
    assert by_title["Ablations"].count('<th scope="row">deletion<') == 1 + 3
    assert by_title["Ablations"].count('<th scope="row">deletion-nofuzz<') == 1 + 3
    assert "<small>uniform deletion alone</small>" in by_title["Ablations"]
    assert by_title["Ablations"].count("<h3>What changes deletion</h3>") == 1
    assert Page(changed.read_text(encoding="utf-8")).open == []


@pytest.mark.parametrize("split", ["clean", "triggered"])
def test_half_a_run_still_reports_what_it_has(tmp_path: Path, split: str) -> None:
    records = [record for record in synthetic_records(12) if record.split == split]
    page = build_report(write_run(tmp_path, records, synthetic_settings(quoted=None))).read_text(
        encoding="utf-8"
    )
    assert Page(page).open == []
    assert "Published figures" not in page


def test_only_the_undefended_row(tmp_path: Path) -> None:
    records = [record for record in synthetic_records(12, (0,)) if record.defense == "undefended"]
    text = " ".join(
        Page(build_report(write_run(tmp_path, records, synthetic_settings())).read_text()).text.split()
    )
    assert "No defense of this run scans texts" in text
    assert "No defense of this run certifies" in text
    assert "standard deviation over seeds, in percent" not in text


def test_a_class_without_a_name_is_refused(tmp_path: Path) -> None:
    records = [replace(synthetic_records(2, (0,))[0], prediction=7)]
    with pytest.raises(FuzzsmoothError, match=r"class 7, but settings\.json names only 2"):
        build_report(write_run(tmp_path, records, synthetic_settings()))
    assert not (tmp_path / "report.html").exists()


def test_missing_inputs_are_named(tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match=r"settings\.json"):
        build_report(tmp_path)
    write_run(tmp_path, synthetic_records(2), synthetic_settings())
    (tmp_path / "records.jsonl").unlink()
    with pytest.raises(FuzzsmoothError, match=r"records\.jsonl"):
        build_report(tmp_path)


def test_without_jinja_the_extra_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"fuzzsmooth\[report\]"):
        build_report(run)
