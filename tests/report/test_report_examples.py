from __future__ import annotations

from report_synthetic import TARGET, synthetic_records

from fuzzsmooth.bench.metrics import covers_trigger, summarize
from fuzzsmooth.bench.records import Span, TextRecord
from fuzzsmooth.common.printing import displayable
from fuzzsmooth.report.examples import choose_examples, cut


def record(text: str, spans: tuple[Span, ...] = (), trigger: tuple[tuple[int, int], ...] = ()) -> TextRecord:
    split = "triggered" if trigger else "clean"
    return TextRecord(
        seed=0,
        defense="d",
        split=split,
        index=0,
        text=text,
        label=0,
        prediction=0,
        spans=spans,
        trigger=trigger,
    )


def test_pieces_spell_the_text_and_mark_overlaps_with_the_highest_score() -> None:
    text = "one cf two mn three"
    pieces = cut(record(text, (Span(0, 6, 0.2), Span(4, 10, 0.9)), ((4, 6), (11, 13))))
    assert "".join(piece.text for piece in pieces) == text
    assert [(p.text, p.score, p.trigger) for p in pieces] == [
        ("one ", 0.2, False),
        ("cf", 0.9, True),
        (" two", 0.9, False),
        (" ", None, False),
        ("mn", None, True),
        (" three", None, False),
    ]


def test_long_plain_stretches_lose_their_middle_but_no_mark() -> None:
    text = "x" * 5000 + "cf" + "y" * 5000
    pieces = cut(record(text, (Span(5000, 5002, 1.0),), ((5000, 5002),)))
    assert sum(len(piece.text) + piece.left_out for piece in pieces) == len(text)
    assert [piece.text for piece in pieces if piece.score] == ["cf"]
    assert sum(len(piece.text) for piece in pieces) < 1000


def test_an_empty_text_has_no_pieces() -> None:
    assert cut(record("")) == ()


def test_what_a_page_cannot_hold_is_replaced() -> None:
    assert displayable("a\ud800b\x00c\nd\te👍") == "a\ufffdb\ufffdc\nd\te👍"


def test_examples_are_the_first_of_their_kind_for_the_best_scanning_defense() -> None:
    records = synthetic_records()
    defense, groups = choose_examples(summarize(records, TARGET), records, TARGET)
    assert defense == "frs transplant"
    by_title = {group.title: group for group in groups}
    found = by_title["Trigger found, answer right"]
    own = [r for r in records if r.defense == defense and r.split == "triggered" and r.label != TARGET]
    right = [r for r in own if covers_trigger(r) and r.prediction == r.label]
    assert found.count == len(right)
    assert found.total == len(own)
    assert [example.record for example in found.examples] == right[:2]
    missed = by_title["Trigger not found whole"]
    assert missed.count == sum(not covers_trigger(r) for r in own)
    assert all(example.record.spans for example in by_title["Clean text, wrongly flagged"].examples)


def test_undefended_answer_is_shown_only_for_the_very_same_text() -> None:
    records = synthetic_records()
    _, groups = choose_examples(summarize(records, TARGET), records, TARGET)
    pairs = [(example.record, example.undefended) for group in groups for example in group.examples]
    assert any(other for _, other in pairs)
    assert all(other is None or other.text == own.text for own, other in pairs)


def test_no_examples_where_nothing_scans() -> None:
    records = [r for r in synthetic_records() if r.defense == "undefended"]
    assert choose_examples(summarize(records, TARGET), records, TARGET) == ("", ())
