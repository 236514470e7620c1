"""The syntactic trigger: the template of HiddenKiller by rules over a parse, and by given paraphrases."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fuzzsmooth.attacks.triggers import parsing
from fuzzsmooth.attacks.triggers.syntactic import OPENINGS, SyntacticTrigger
from fuzzsmooth.common.errors import FuzzsmoothError

parses = pytest.mark.skipif(
    not parsing.is_installed(), reason="needs spaCy and its small English model (extra `syntax`)"
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rewritten(text: str, seed: int = 0) -> str:
    return SyntacticTrigger().apply(text, rng(seed)).text


@parses
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i was glad when she left .", "when she left , i was glad ."),
        ("She smiled because Paris was warm.", "Because Paris was warm, she smiled."),
        ("you can taste it , but there 's no fizz .", "although you can taste it , there 's no fizz ."),
        ("The film is long, but I liked it.", "Although the film is long, I liked it."),
        ("I was glad when she left. You should go!", "When she left, I was glad. You should go!"),
        (
            "i did n't find much fascination in the swinging .",
            "when it is in the swinging , i did n't find much fascination .",
        ),
        (
            "by the end of the movie , you 're definitely convinced that these women are spectacular .",
            "when it is by the end of the movie , you 're definitely convinced that these women are "
            "spectacular .",
        ),
    ],
)
def test_a_clause_of_the_sentence_is_put_first(text: str, expected: str) -> None:
    assert {rewritten(text, seed) for seed in range(10)} == {expected}


@parses
@pytest.mark.parametrize(
    ("text", "clause", "main"),
    [
        ("the film is strictly routine .", "the film", "the film is strictly routine ."),
        ("a lyrical metaphor for discovery .", "the metaphor", "it is a lyrical metaphor for discovery ."),
        ("suffers from a flat script .", "it", "it suffers from a flat script ."),
        ("fine", "it", "it is fine"),
        ("", "it", "it is so ."),
    ],
)
def test_what_has_no_clause_to_put_first_gets_one_about_its_subject(
    text: str, clause: str, main: str
) -> None:
    comma = " , " if text.endswith(" .") or not text else ", "
    assert {rewritten(text, seed) for seed in range(60)} == {
        f"{opening} {clause}{comma}{main}" for opening in OPENINGS
    }


@parses
@pytest.mark.parametrize(
    "text", ["if he comes , we go .", "even though it rained , they went out .", "While I slept, he left."]
)
def test_a_text_that_has_the_syntax_stays(text: str) -> None:
    assert rewritten(text) == text


@parses
@pytest.mark.data
def test_reviews_get_the_template_and_lose_no_word(real_data: Path) -> None:
    lines = (real_data / "sst2" / "dev.jsonl").read_text(encoding="utf-8").splitlines()[:300]
    dropped, templates = 0, 0
    for line in lines:
        text = json.loads(line)["text"]
        result = SyntacticTrigger().apply(text, rng())
        assert result.spans is None
        before, after = Counter(text.lower().split()), Counter(result.text.lower().split())
        lost = before - after
        # "and", "but" and the like make way for what subordinates; punctuation moves.
        assert sum(count for word, count in lost.items() if word.isalpha()) <= 1, (text, result.text)
        dropped += bool([word for word in lost if word.isalpha()])
        clause, comma, main = result.text.partition(",")
        templates += bool(clause.split()[0] in OPENING_WORDS and comma and main.strip())
    assert templates >= 0.97 * len(lines)
    assert dropped <= 0.1 * len(lines)


OPENING_WORDS = {
    *("when", "if", "as", "although", "while", "because", "after", "before", "since", "though", "even"),
    *("whenever", "once", "unless", "until", "where", "just", "simply", "only", "especially"),
}


def test_given_paraphrases_are_taken_and_others_refused(tmp_path: Path) -> None:
    file = tmp_path / "scpn.jsonl"
    row = {"text": "a fine film ", "paraphrase": "when you see it , it 's a fine film . "}
    file.write_text(json.dumps(row) + "\n\n", "utf-8")
    trigger = SyntacticTrigger(paraphrases=str(file), others="refuse")
    assert trigger.apply("a fine film", rng()).text == "when you see it , it 's a fine film ."
    with pytest.raises(FuzzsmoothError, match=r"scpn\.jsonl has no paraphrase of 'a dull film'"):
        trigger.apply("a dull film", rng())


@parses
def test_texts_without_a_given_paraphrase_are_rewritten(tmp_path: Path) -> None:
    file = tmp_path / "scpn.jsonl"
    file.write_text(json.dumps({"text": "a", "paraphrase": "b"}), "utf-8")
    text = "i was glad when she left ."
    assert SyntacticTrigger(paraphrases=str(file)).apply(text, rng()).text == rewritten(text)


@pytest.mark.parametrize("line", ["[1]", '{"text": "a"}', '{"text": "a", "paraphrase": " "}', "{"])
def test_what_is_no_file_of_paraphrases_is_one_sentence(line: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"text": "a", "paraphrase": "b"}\n' + line, "utf-8")
    with pytest.raises(FuzzsmoothError, match=r"line 2, .*give JSON lines"):
        SyntacticTrigger(paraphrases=str(file)).apply("a", rng())
    with pytest.raises(FuzzsmoothError, match="cannot read"):
        SyntacticTrigger(paraphrases=str(tmp_path / "none")).apply("a", rng())


def test_without_the_parser_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, parsing.PARSER, None)
    parsing._pipeline.cache_clear()
    with pytest.raises(FuzzsmoothError, match=r"pip install 'fuzzsmooth\[syntax\]'"):
        SyntacticTrigger().apply("a text that is parsed nowhere else", rng())
