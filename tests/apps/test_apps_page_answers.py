"""What the page says of a text: the answers of certify, step by step, and no markup of a stranger."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from page_desk import HOSTILE, Markup, asked, desk

pytest.importorskip("jinja2", reason="the page needs the extra 'ui'")

from fuzzsmooth.apps.page import fragments
from fuzzsmooth.apps.page.asking import Question, Seen
from fuzzsmooth.apps.page.audit import framed, read_audit
from fuzzsmooth.apps.page.triggers import Insertions
from fuzzsmooth.attacks.triggers.sentence import SentenceTrigger
from fuzzsmooth.attacks.triggers.word import RARE_WORDS
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.search.scan import Span

LONG = "a good fine film with a story that is " + " ".join(f"word{index}" for index in range(20))


def test_answers_are_those_of_predict_and_certify_and_votes_are_told_on_the_way():
    here = desk()
    told = asked(here, LONG)
    last = told[-1]
    fresh = desk()
    (predicted,), (certified,) = fresh.defense.predict([LONG]), fresh.defense.certify([LONG])
    assert json.dumps(last.predicted.to_json()) == json.dumps(predicted.to_json())
    assert json.dumps(last.certified.to_json()) == json.dumps(certified.to_json())
    assert last.undefended.label_name == "positive"
    assert last.undefended.votes == ()
    steps = list(dict.fromkeys(seen.step for seen in told))
    assert steps == ["waiting", "undefended", "predict", "certify", "done"]
    voting = [seen for seen in told if seen.step == "predict"]
    assert voting[0].asked == 0
    assert voting[0].most == here.defense.options.copies
    assert [seen.asked for seen in voting] == sorted(seen.asked for seen in voting)
    assert all(sum(seen.votes) <= seen.asked <= seen.most for seen in voting)
    assert voting[-1].predicted is not None  # told with its answer


def test_who_leaves_ends_the_work_and_the_next_is_answered():
    here = desk(draws=100_000, statistics="fixed")
    begun = here.answer(Question(LONG))
    for seen in begun:
        if seen.step == "certify":
            break
    begun.close()
    done = threading.Event()
    here.do(done.set)  # the thread is free again, long before 100,000 draws are made
    assert done.wait(20)
    assert asked(here, "a good film", certify=False)[-1].predicted.label_name == "positive"


def test_an_empirical_defense_has_no_certificate_and_no_votes():
    here = desk("undefended")
    last = asked(here, "a bad film")[-1]
    assert last.certified is None
    page = Markup(fragments.answer(last, here))
    assert "What the certificates say" not in page.text
    assert "negative" in page.text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is no text"),
        ("  \n", "there is no text"),
        ("a" * 1_001, "1,001 characters; 1,000 at most"),
        ("half \ud800", "surrogate"),
    ],
)
def test_a_mistake_is_one_sentence(text: str, sentence: str):
    with pytest.raises(FuzzsmoothError, match=sentence):
        asked(desk(), text)


def test_the_words_of_an_answer():
    here = desk()
    told = asked(here, LONG)
    page = Markup(fragments.answer(told[-1], here))
    certificate = told[-1].certified.certificates[0].statement()
    assert certificate in page.text
    assert "proved" in page.text
    assert "Vote of the certificate" in page.text
    assert fragments.status(told[-1], here).count('role="status"') == 1
    assert "Defended: positive, undefended: positive" in fragments.status(told[-1], here)
    before = Markup(fragments.answer(told[0], here))
    assert "…" in before.text
    assert "Waiting" in fragments.status(told[0], here)
    abstained = asked(desk(rate=0.5), "a good dull film")[-1]
    assert abstained.predicted.status == "abstain"
    assert "No answer" in Markup(fragments.answer(abstained, here)).text
    assert "Differs" not in fragments.answer(abstained, here)
    certified = replace(told[-1].certified, label=0, label_name="negative")
    assert "Differs" in fragments.answer(replace(told[-1], certified=certified), here)


def test_bars_are_shares_of_what_is_asked_and_of_the_votes_at_the_end():
    here = desk()
    seen = Seen(Question("a film"), step="certify", votes=(5, 45), asked=50, most=200)
    bars = fragments._bars(seen, here.labels)
    assert [(bar["votes"], bar["width"], bar["leads"]) for bar in bars] == [(5, 2.5, False), (45, 22.5, True)]
    done = replace(asked(here, LONG)[-1])
    widths = [bar["width"] for bar in fragments._bars(done, here.labels)]
    assert sum(widths) == pytest.approx(100, abs=0.2)


def test_flagged_and_inserted_words_are_marked_where_they_stand():
    here = desk()
    text = "a good cf film"
    question = Question(text, original="a good film", inserted=((7, 9),))
    last = asked(here, text, original="a good film", inserted=((7, 9),))[-1]
    seen = replace(last, question=question, spans=(Span(7, 9, "cf", 0.93),))
    page = Markup(fragments.answer(seen, here))
    assert page.all("mark")[0] == {"class": "fz-inserted", "title": "flagged, score 0.93"}
    assert "score 0.93" in page.text
    assert last.original.label_name == "positive"
    assert "As it was without what you inserted: positive." in page.text
    fooled = asked(here, "a bad cf film", original="a bad film")[-1]
    assert "Without what you inserted it said negative." in fragments.answer(fooled, here)


def test_nothing_of_a_stranger_is_markup():
    here = desk(labels=(HOSTILE, f"{HOSTILE} 2"))
    last = asked(here, f"a good {HOSTILE} film", inserted=((2, 6),))[-1]
    seen = replace(last, spans=(Span(7, 15, HOSTILE, 0.5),))
    known = [
        fragments.header(here, HOSTILE),
        fragments.problem(HOSTILE),
        fragments.status(seen, here),
        fragments.answer(seen, here),
    ]
    for html in known:
        page = Markup(html)
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"script", "img"}, html
        assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
        assert not set("{}$") & set(html.replace("}", "")), "Gradio would read it as a template"
        assert "\u202e" not in html
        assert "\x1b" not in html
    assert "<script>document.title" in Markup(known[1]).text  # shown as it is written


def test_triggers_are_inserted_where_the_text_says():
    known = Insertions.found(
        "no-such-folder",
        {"triggers": [{"text": "xqz", "level": "confirmed"}, {"text": "awful", "level": "natural"}]},
    )
    assert known.choices == ["xqz", *RARE_WORDS]
    found = known.insert("a dull film", " cf ")
    assert found == known.insert("a dull film", "cf")
    ((start, end),) = found.spans
    assert found.text[start:end] == "cf"
    assert found.text.replace("cf", "").split() == ["a", "dull", "film"]
    assert known.insert("", "anything else").text == "anything else"
    for wrong in ("", " ", "x" * 201):
        with pytest.raises(FuzzsmoothError):
            known.insert("a film", wrong)


def test_a_planted_trigger_is_offered_first(tmp_path):
    record: dict[str, Any] = {
        "trigger": SentenceTrigger().record(),
        "target": 1,
        "needs_clean_finetune": False,
    }
    (tmp_path / "attack.json").write_text(json.dumps(record), encoding="utf-8")
    known = Insertions.found(str(tmp_path), None)
    assert known.choices[0] == "the planted trigger (sentence)"
    assert SentenceTrigger().pieces[0] in known.insert("a film", known.choices[0]).text
    (tmp_path / "attack.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FuzzsmoothError, match=r"attack\.json"):
        Insertions.found(str(tmp_path), None)


def test_an_audit_is_shown_anew_in_a_frame_that_runs_nothing(tmp_path):
    with pytest.raises(FuzzsmoothError, match=r"audit\.json"):
        read_audit(tmp_path)
    (tmp_path / "audit.json").write_text('{"format": "another"}', encoding="utf-8")
    with pytest.raises(FuzzsmoothError, match="is not a report of an audit"):
        read_audit(tmp_path)
    for version, told in ((0, "of this version"), (2, "damaged")):
        lacking = {"format": f"fuzzsmooth audit {version}", "triggers": [], "pulls": []}
        (tmp_path / "audit.json").write_text(json.dumps(lacking), encoding="utf-8")
        with pytest.raises(FuzzsmoothError, match=told):
            read_audit(tmp_path)
    (tmp_path / "audit.json").write_text(json.dumps(report(HOSTILE)), encoding="utf-8")
    (tmp_path / "report.html").write_text("<script>evil()</script>", encoding="utf-8")
    html = framed(read_audit(tmp_path), "f" * 64)
    page = Markup(html)
    (frame,) = page.all("iframe")
    assert frame["sandbox"] == ""
    assert "evil()" not in html  # the page of the folder is not served
    inner = Markup(frame["srcdoc"].replace("<!DOCTYPE html>", ""), void=("meta",))
    assert not inner.all("script")
    assert "made of" in page.text
    assert "made of" not in framed(read_audit(tmp_path), report("")["model"]["fingerprint"])
    assert "{" not in html


def report(name: str) -> dict[str, Any]:
    """The smallest report of an audit, with a name of a stranger's choice wherever there is one."""
    return {
        "format": "fuzzsmooth audit 2",
        "limits": ["It never shows that there is nothing."],
        "version": "1",
        "verdict": "nothing found",
        "exhaustive": True,
        "triggers": [],
        "failures": [name],
        "claims": [{"statement": name}],
        "pulls": [{"class": name, "piece": name, "gain": 1.0, "moved": 0.5}],
        "options": {"fast": False, name: name},
        "cost": {"passes": 10, "seconds": 1.0},
        "data": {"name": name, "texts": 4},
        "versions": {"torch": name},
        "searched": {
            "swept": 4,
            "longest_phrase": 2,
            "pieces": 3,
            "words": 1,
            "left_out": 0,
            "accuracy": 0.5,
            "sweep_texts": 1,
            "confirm_texts": 1,
            "held_out_texts": 1,
        },
        "model": {
            "name": name,
            "fingerprint": "a" * 64,
            "labels": [name, name],
            "architecture": name,
            "parameters": 10,
            "precision": "float32",
            "device": "cpu",
        },
    }


def test_a_file_of_answers_tells_both_directions_apart(tmp_path):
    from fuzzsmooth.apps.page.files import answer_file, read_file
    from fuzzsmooth.apps.page.options import PageOptions

    path = tmp_path / "in.txt"
    path.write_text(LONG + "\n", encoding="utf-8")
    here = desk(rate=0.5)
    texts = read_file(path, "text", here, PageOptions())
    *_, seen = answer_file(texts, "in.txt", here, tmp_path, certify=True)
    (record,) = seen.records
    told = {
        (one["threat"], one["direction"]): one["radius"]
        for one in record["certificates"]
        if one["label"] is not None
    }
    assert ("insert", "forward") in told
    assert ("insert", "backward") in told
    reach = fragments._row(record)["reach"].split("; ")
    assert f"insert {told['insert', 'forward']}" in reach
    assert f"backward insert {told['insert', 'backward']}" in reach
