"""Sentences put into the template S(SBAR)(,)(NP)(VP)(.): a subordinate clause, a comma, the main clause.

That is the template of HiddenKiller (Qi et al., ACL 2021), which has a neural paraphraser fill it (SCPN).
Here rules over a dependency tree do: words keep their order inside of a clause, and few are added.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

_SUBORDINATORS = {
    *("when", "whenever", "while", "if", "unless", "because", "since", "although", "though", "whereas"),
    *("until", "till", "after", "before", "once", "as", "where", "wherever"),
}
_BEFORE_THEM = {"even", "just", "only", "especially", "except", "particularly", "simply"}
_INSTEAD_OF = {"but": "although", "yet": "although", "so": "because", "for": "when", "or": "if", "nor": "if"}
_PLACES = {"in", "at", "on", "during", "throughout", "after", "before", "within", "by", "over", "under"}
_SUBJECTS = {"nsubj", "nsubjpass", "expl", "csubj", "csubjpass"}
_COMPLEMENTS = {"dobj", "attr", "acomp", "xcomp", "ccomp", "oprd", "dative", "agent"}
_FINITE = {"VBZ", "VBD", "VBP", "MD"}
_END = {".", "!", "?", "...", ";", ":"}


def fronted(tree: Any, opening: str) -> str:
    """The first sentence of a text in the template; what follows it stays.

    Tried in turn: a sentence that begins with a subordinate clause stays; a later adverbial clause is put
    first; the first of two coordinate clauses is subordinated; a prepositional phrase of the main verb
    becomes a clause and is put first; the subject is repeated in a clause of ``opening``.

    Args:
        tree: A ``spacy.tokens.Doc`` of a text without runs of spaces.
        opening: What begins the clause of a sentence that has nothing to put first, such as "when you see".
    """
    tokens = list(tree)
    if not tokens:
        return f"{opening} it , it is so ."
    last = next((at for at, token in enumerate(tokens) if at and token.is_sent_start), len(tokens))
    sentence, rest = tokens[:last], tokens[last:]
    closing: list[Any] = []
    while len(sentence) > 1 and (sentence[-1].text in _END or sentence[-1].tag_ == "''"):
        closing.insert(0, sentence.pop())
    clause, main = _halves(sentence, opening)
    spaced = any(token.text in {",", *_END} and token.i and tree[token.i - 1].whitespace_ for token in tokens)
    comma = " , " if spaced else ", "
    if sentence[0].text[0].isupper():
        clause = clause[0].upper() + clause[1:]
    between = " " if spaced or not closing else ""
    ended = between.join((clause + comma + main, "".join(token.text_with_ws for token in closing).strip()))
    return f"{ended.strip()} {_text(rest)}".strip()


def _halves(sentence: Sequence[Any], opening: str) -> tuple[str, str]:
    """The subordinate clause and the main clause, without the comma between them."""
    if _begins(sentence) and any(token.text == "," for token in sentence):
        comma = next(at for at, token in enumerate(sentence) if token.text == ",")
        return _text(sentence[:comma]), _text(sentence[comma + 1 :])
    inside = {token.i for token in sentence}
    root = next(token for token in sentence if token.head.i == token.i or token.head.i not in inside)
    for clause in reversed([child for child in root.children if child.dep_ == "advcl"]):
        part = _run(clause, sentence)
        if _begins(part) and part[0].i > root.i and _has(clause, _SUBJECTS) and _is_whole(root, part):
            return _lowered(part), _main(_without(sentence, part))
    coordinate = _coordinate(root, sentence)
    if coordinate is not None:
        return coordinate
    for phrase in root.children:
        part = _run(phrase, sentence)
        if phrase.dep_ == "prep" and len(part) > 1 and _has(root, _SUBJECTS) and _is_whole(root, part):
            first = part[0].i == sentence[0].i
            if first or (part[0].i > root.i and phrase.lower_ in _PLACES):
                return f"when it is {_lowered(part)}", _main(_without(sentence, part))
    return f"{opening} {_repeated(root, sentence)}", _main(sentence)


def _begins(tokens: Sequence[Any]) -> bool:
    """Whether tokens begin with a word that subordinates them, or with "even if" and the like."""
    words = [token for token in tokens[:2] if token.lower_ not in _BEFORE_THEM]
    return bool(words) and words[0].lower_ in _SUBORDINATORS and words[0].tag_ in {"IN", "WRB", "RB"}


def _has(head: Any, relations: Collection[str]) -> bool:
    return any(child.dep_ in relations for child in head.children)


def _is_whole(root: Any, part: Sequence[Any]) -> bool:
    """Whether a main verb without a part keeps a complement, or needs none: not "the film is"."""
    taken = {token.i for token in part}
    kept = any(child.dep_ in _COMPLEMENTS and child.i not in taken for child in root.children)
    return kept or (root.tag_.startswith("VB") and root.pos_ != "AUX" and part[0].dep_ != "prep")


def _coordinate(root: Any, sentence: Sequence[Any]) -> tuple[str, str] | None:
    """The two halves of "A but B" and the like where both have a subject: "although A", "B"."""
    if not _has(root, _SUBJECTS):
        return None
    for second in root.children:
        joined = [child for child in root.children if child.dep_ == "cc" and root.i < child.i < second.i]
        if second.dep_ == "conj" and joined and _has(second, _SUBJECTS):
            word = joined[-1]
            first = _stripped([token for token in sentence if token.i < word.i])
            rest = _stripped([token for token in sentence if token.i > word.i])
            if first and rest:
                return f"{_INSTEAD_OF.get(word.lower_, 'when')} {_lowered(first)}", _text(rest)
    return None


def _main(tokens: Sequence[Any]) -> str:
    """The main clause; one without a subject, which reviews are full of, gets "it" or "it is"."""
    tokens = _stripped(tokens)
    inside = {token.i for token in tokens}
    root = next((token for token in tokens if token.head.i == token.i or token.head.i not in inside), None)
    if root is None:
        return "it is so"
    if any(child.dep_ in _SUBJECTS and child.i in inside for child in root.children):
        return _lowered(tokens)
    first = next((token for token in tokens if token.dep_ in {"aux", "auxpass"}), root)
    if first.tag_ in _FINITE and first.i == tokens[0].i:
        return f"it {_lowered(tokens)}"
    if root.tag_ == "VB" and root.i == tokens[0].i:
        return f"you {_lowered(tokens)}"
    return f"it is {_lowered(tokens)}"


def _repeated(root: Any, sentence: Sequence[Any]) -> str:
    """The subject, or the noun that a sentence without one is about; "it" if there is none."""
    inside = {token.i for token in sentence}
    subjects = [
        child for child in root.children if child.dep_ in {"nsubj", "nsubjpass"} and child.i in inside
    ]
    noun = subjects[0] if subjects else root
    if not noun.tag_.startswith("NN"):
        return "it"
    before = [child for child in noun.lefts if child.dep_ == "compound" and child.i in inside]
    words = _text([*before, noun])
    return words if noun.tag_.startswith("NNP") else f"the {words}"


def _run(head: Any, sentence: Sequence[Any]) -> list[Any]:
    """The subtree of a token without punctuation around it; nothing if other words stand between."""
    inside = {token.i for token in sentence}
    part = _stripped([token for token in head.subtree if token.i in inside])
    whole = bool(part) and part[-1].i - part[0].i == len(part) - 1
    return part if whole else []


def _without(sentence: Sequence[Any], part: Sequence[Any]) -> list[Any]:
    taken = {token.i for token in part}
    return [token for token in sentence if token.i not in taken]


def _stripped(tokens: Sequence[Any]) -> list[Any]:
    """Without the commas and dashes at both ends that set it apart."""
    kept = list(tokens)
    while kept and kept[0].tag_ in {",", ":", "."}:
        kept.pop(0)
    while kept and kept[-1].tag_ in {",", ":", "."}:
        kept.pop()
    return kept


def _text(tokens: Sequence[Any]) -> str:
    return "".join(token.text_with_ws for token in tokens).strip()


def _lowered(tokens: Sequence[Any]) -> str:
    """The text of a clause that stands inside of a sentence now: no capital but that of a name or "I"."""
    text = _text(tokens)
    if not tokens or tokens[0].tag_.startswith("NNP") or tokens[0].lower_ == "i" or text[:2].isupper():
        return text
    return text[:1].lower() + text[1:]
