"""What the page shows, as HTML: every text, label and name in it is foreign, and is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fuzzsmooth.apps.page.asking import Desk, Seen
from fuzzsmooth.apps.page.files import FileSeen
from fuzzsmooth.bench.provenance import shown as shown_name
from fuzzsmooth.certify import Certificate, ceiled, floored
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.defenses import Answer
from fuzzsmooth.jobs.answering import Record
from fuzzsmooth.report.examples import cut_text
from fuzzsmooth.report.pages import filled
from fuzzsmooth.search.scan import Span

_LABEL = 60  # characters of a class name that are shown
_FLAGGED = 20  # flagged words that are listed
_ROWS, _TEXT = 50, 240  # answers of a file that are shown, and characters of a plain stretch of their texts
_LABELS = 12  # classes that are counted

_GUARANTEES = {
    "proved": "its certificates are proved: they hold for every text within the stated threat",
    "conditional": "its certificates are conditional: they hold provided that what they name is so",
    "empirical": "which promises nothing and has no certificates",
}

_NO_ANSWER = {
    "abstain": ("No answer", "The votes do not name the majority answer surely enough (ABSTAIN)."),
    "alert": ("Alarm", "The defense raises an alarm instead of giving a label."),
    "budget_exceeded": ("Too long", "The text needs more passes than the options allow."),
}
_STEPS = {
    "waiting": "Waiting for the questions before this one …",
    "undefended": "The model reads the text …",
    "predict": "Randomized copies of the text vote …",
    "search": "The text is searched for suspicious words …",
    "certify": "More copies vote for the certificate …",
}


def fragment(template: str, **values: Any) -> str:
    """A part of the page.

    Args:
        template: Among those of the reports.
        **values: What it names; every string is escaped.
    """
    # The frame that Gradio puts around it reads '{' and '$' as templates of its own.
    return filled(template, values).replace("{", "&#123;").replace("$", "&#36;")


def header(desk: Desk, model: str) -> str:
    """What is at work."""
    return fragment(
        "page_header.html.j2",
        model=shown_name(model),
        defense=desk.defense.name,
        guarantee=_GUARANTEES[desk.defense.guarantee],
        labels=[_name(label) for label in desk.labels],
    )


def problem(sentence: str) -> str:
    """A mistake that the user can mend."""
    return fragment("page_problem.html.j2", sentence=sentence)


def status(seen: Seen, desk: Desk) -> str:
    """One line, read aloud by a screen reader when it changes."""
    if seen.step != "done":
        searching = seen.step == "predict" and desk.searches and not seen.asked
        step = "The text is searched, then copies vote …" if searching else _STEPS[seen.step]
        return fragment("page_status.html.j2", sentence=step, busy=True)
    said = [f"Defended: {_headline(seen.answer)[0]}", f"undefended: {_headline(seen.undefended)[0]}"]
    flagged = len(seen.spans)
    if desk.searches:
        said.append(f"{flagged or 'no'} suspicious {'place' if flagged == 1 else 'places'}")
    sentence = f"{', '.join(said)}; {seen.seconds:.1f} seconds."
    return fragment("page_status.html.j2", sentence=sentence, busy=False)


def answer(seen: Seen, desk: Desk) -> str:
    """All that is known of a text: both answers, votes, the text with its marks, certificates."""
    shown = seen.answer
    label, remark = _headline(shown, waiting=seen.step != "done")
    bare, _ = _headline(seen.undefended)
    certified = seen.certified
    labels = _label_of(shown), _label_of(seen.undefended)
    differs = None not in labels and labels[0] != labels[1]
    return fragment(
        "page_answer.html.j2",
        defense=desk.defense.name,
        label=label,
        remark=remark,
        answered=shown is not None and shown.label is not None,
        bare=bare,
        bare_score=0.0 if seen.undefended is None else seen.undefended.score,
        bare_known=seen.undefended is not None,
        differs=differs,
        before=_before(seen),
        bars=_bars(seen, desk.labels),
        caption=_caption(seen),
        pieces=cut_text(seen.question.text, seen.spans, seen.question.inserted),
        flagged=[_flag(span) for span in seen.spans[:_FLAGGED]],
        more=max(0, len(seen.spans) - _FLAGGED),
        inserted=bool(seen.question.inserted),
        searches=desk.searches,
        searched=seen.step == "done" or bool(seen.spans),
        certificates=[] if certified is None else _statements(certified.certificates),
        certifying=seen.step == "certify",
        wanted=seen.question.certify and desk.certifies,
        truncated=shown is not None and shown.truncated,
    )


def _name(label: str) -> str:
    return short_name(label, _LABEL)


def _label_of(one: Answer | None) -> int | None:
    return None if one is None else one.label


def _headline(one: Answer | None, *, waiting: bool = False) -> tuple[str, str]:
    """An answer in a word or two, and what is to be said of it."""
    if one is None:
        return "…", ""
    if one.label_name is None:
        return _NO_ANSWER.get(one.status, _NO_ANSWER["abstain"])
    if 0 < one.error < 1 and not waiting:
        return _name(one.label_name), f"The error of the vote is at most {ceiled(one.error, 2)}."
    return _name(one.label_name), ""


def _before(seen: Seen) -> str:
    """What inserting something did to the undefended answer."""
    old, new = seen.original, seen.undefended
    if old is None or new is None or old.label_name is None or new.label_name is None:
        return ""
    if old.label == new.label:
        return f"As it was without what you inserted: {_name(new.label_name)}."
    return f"Without what you inserted it said {_name(old.label_name)}."


def _bars(seen: Seen, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Votes per class: of the vote under way, or of the answer."""
    if seen.step in ("predict", "certify"):
        votes, whole = seen.votes, max(seen.most or 0, seen.asked)
    else:
        source = seen.certified or seen.predicted
        votes = () if source is None else source.votes
        whole = 0 if source is None else source.drawn
    most = max(votes, default=0)
    return [
        {
            "name": _name(name),
            "votes": count,
            "width": round(100 * count / whole, 1) if whole else 0,
            "leads": count == most > 0,
        }
        for name, count in zip(labels, votes, strict=bool(votes))
    ]


def _caption(seen: Seen) -> str:
    if seen.step in ("predict", "certify"):
        of = f" of at most {seen.most:,}" if seen.most else ""
        what = "the certificate" if seen.step == "certify" else "the answer"
        return f"Vote for {what}: {seen.asked:,}{of} copies have answered."
    source = seen.certified or seen.predicted
    if source is None or not source.votes:
        return ""
    undecided = f"; {source.undecided:,} too close to rounding to count" if source.undecided else ""
    if source.unsure:
        undecided += f"; {source.unsure:,} said too little to count for a class"
    if source.statistics == "exact":
        return f"All {source.passes:,} ways to delete words were asked, nothing was drawn{undecided}."
    if source.statistics == "ablation":
        return f"{source.passes:,} deletions were asked in turn{undecided}."
    what = "certificate" if seen.certified else "answer"
    rest = source.passes - source.drawn
    told = f"Vote of the {what}: {source.drawn:,} copies were asked{undecided}"
    return told + (f", and the {rest:,} shortest remainders of the text in turn." if rest > 0 else ".")


def _flag(span: Any) -> dict[str, str]:
    return {"text": short_name(span.text), "score": f"{span.score:.2f}"}


def _statements(certificates: Sequence[Certificate]) -> list[dict[str, str]]:
    """Certificates in words, each sentence once."""
    found: dict[str, str] = {}
    for one in certificates:
        found.setdefault(one.statement(), "abstain" if one.abstained else one.guarantee)
    return [{"statement": statement, "guarantee": guarantee} for statement, guarantee in found.items()]


def file_status(seen: FileSeen) -> str:
    """How far a file is answered."""
    done, total = len(seen.records), seen.total
    sentence = f"{done:,} of {total:,} texts are answered" + ("." if seen.done else " …")
    return fragment("page_status.html.j2", sentence=sentence, busy=not seen.done)


def file_table(seen: FileSeen) -> str:
    """The first answers of a file, and what there is to say of all."""
    records = seen.records
    counts = Counter(record["label_name"] or record["status"] for record in records)
    return fragment(
        "page_file.html.j2",
        rows=[_row(record) for record in records[:_ROWS]],
        more=max(0, len(records) - _ROWS),
        counts=[(_name(name), count) for name, count in counts.most_common(_LABELS)],
        flagged=sum(bool(record["spans"]) for record in records),
        total=len(records),
        certified=any(record["certificates"] for record in records),
        notes=seen.notes,
        statements=seen.statements,
    )


def _row(record: Record) -> dict[str, Any]:
    spans = [Span(**span) for span in record["spans"]]
    text = record["text"]
    claimed = [one for one in record["certificates"] if one["label"] is not None]
    reach = [
        f"{'backward ' if one['direction'] == 'backward' else ''}{one['threat'].replace('_', ' ')} "
        f"{floored(one['radius'])}"
        for one in claimed
    ]
    return {
        "row": record["row"],
        "label": _name(record["label_name"] or _NO_ANSWER[record["status"]][0]),
        "answered": record["label_name"] is not None,
        "score": record["score"],
        "reach": "; ".join(reach),
        "pieces": cut_text(text, spans, longest=_TEXT),
    }
