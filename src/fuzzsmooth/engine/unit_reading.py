"""Whether a tokenizer reads words one by one: decided from its description, before any text.

A randomized text is its units with single spaces between them. Gathering the ids of single units gives those
of the text only if nothing in the tokenizer looks across such a space. That must hold for EVERY text, since a
certificate is about one function of what deletion has left: were some texts read whole and others word by
word, a text and its neighbor could meet two different classifiers. So it is read off the rules of the
tokenizer, not tried on texts: each rule must be one that is known to act between spaces, and whatever is not
known is taken to look across them. Then all texts are tokenized whole: slower, the same function.

Why the known rules act between spaces: their normalizers replace single characters (or grapheme clusters, in
which a space can only come first); their splitters never leave a space anywhere but at the head of a piece,
and models read piece by piece. Where there is no splitter (Llama 2), byte-pair merges cannot cross a space
that no vocabulary entry holds behind its first character. Added tokens are found before all that, and may not
hold or swallow a space.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.tokenizing import tokenizing
from fuzzsmooth.text.units import is_spaceless

_SPACE = "\u2581"  # what SentencePiece writes for a space
_SPACES = re.compile(rf"[\s{_SPACE}]")

_NORMALIZERS = frozenset(
    ("BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Precompiled", "Prepend")
)
_SPLIT_AT_SPACES = frozenset(("BertPreTokenizer", "Whitespace", "WhitespaceSplit"))
_SPLIT_BY_CHARACTER = frozenset(("Digits", "Punctuation"))

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_MARKS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# Splitting patterns of published models, each of which takes a space only as the head of a piece.
_PATTERNS = frozenset(
    (
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_MARKS}",
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_MARKS}",
    )
)
_SINGLE_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)  # what BertNormalizer puts spaces around (tokenizers, normalizers/bert.rs, is_chinese_char)


@dataclass(frozen=True)
class UnitReading:
    """How a tokenizer that reads words one by one does so.

    Attributes:
        forbidden: Strings that make a unit look beyond itself: names of special tokens, added tokens behind
            which a text begins anew, the sign for a space where nothing splits.
        ideographs_apart: Whether single ideographs are read alone also without spaces around them.
        normalizer: What the tokenizer does to a text first, where that may make a unit look beyond itself.
    """

    forbidden: frozenset[str]
    ideographs_apart: bool
    normalizer: Any = None

    def alone(self, unit: str) -> bool:
        """Whether the unit is read the same way whatever stands around it, a space between."""
        return not any(part in unit for part in self.forbidden) and self._keeps_its_spaces(unit)

    def _keeps_its_spaces(self, unit: str) -> bool:
        """Whether something is left of it between two single spaces, which remain as they are.

        A unit that is normalized away leaves two spaces side by side, and marks or signs at its ends may take
        a space into their grapheme cluster.
        """
        if self.normalizer is None:
            return True
        around = _normalized(self.normalizer, "a a")
        before = _SPACES.sub(" ", around).rindex(" ") + 1  # what is prepended, "a", and the space
        behind = len(around) - before + 1
        found = _normalized(self.normalizer, f"a {unit} a")
        inner = found[before : len(found) - behind]
        return bool(
            found.startswith(around[:before])
            and found.endswith(around[before - 1 :])
            and inner
            and not (_SPACES.match(inner[0]) or _SPACES.match(inner[-1]))
        )

    def apart(self, unit: str) -> bool:
        """Whether it is so without a space between, too."""
        return (
            self.ideographs_apart
            and len(unit) == 1
            and any(low <= ord(unit) <= high for low, high in _SINGLE_IDEOGRAPHS)
        )


def unit_reading(tokenizer: Any) -> UnitReading | None:
    """How a tokenizer reads units that are joined by single spaces; None where it may read across a space.

    Args:
        tokenizer: A Hugging Face tokenizer; one without a described backend may do anything.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    rules = json.loads(backend.to_str())
    normalizers = _flat(rules["normalizer"], "normalizers")
    splitters = _flat(rules["pre_tokenizer"], "pretokenizers")
    if not all(map(_normalizes_in_place, normalizers)) or rules["model"].get("dropout"):
        return None
    if not _SPACES.search(_normalized(backend.normalizer, "a a")):
        return None
    rewritten = any(rule["type"] == "Replace" for rule in normalizers)
    forbidden: set[str] = set()
    if not _splits(splitters, rewritten=rewritten):
        if splitters or not rewritten or not _merges_between_spaces(rules["model"]):
            return None
        forbidden.add(_SPACE)
    added, mask = rules["added_tokens"], getattr(tokenizer, "mask_token", None)
    # Names of special tokens are read as text, but for the mask, and otherwise where a mask stands beside.
    forbidden.update(token["content"] for token in added if token["special"] and token["content"] != mask)
    found = [token for token in added if mask is not None or not token["special"]]
    if not all(_keeps_spaces(token, backend.normalizer) for token in found):
        return None
    if _begins_anew([*normalizers, *splitters]):
        # Behind an added token such tokenizers read a text as if it began there.
        forbidden.update(token["content"] for token in found)
    isolating = any(
        rule["type"] == "BertNormalizer" and rule.get("handle_chinese_chars") for rule in normalizers
    ) and not any(_reads_ideographs_together(token["content"]) for token in found)
    # Splitters that drop white space do not mind two spaces for one, as long as none is taken away.
    clusters = any(rule["type"] == "Precompiled" for rule in normalizers)
    minds = clusters or not any(rule["type"] in _SPLIT_AT_SPACES for rule in splitters)
    return UnitReading(frozenset(forbidden), isolating, backend.normalizer if minds else None)


def _flat(rule: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """The rules of a sequence, nested ones in order."""
    if rule is None:
        return []
    if rule["type"] != "Sequence":
        return [rule]
    return [inner for part in rule[key] for inner in _flat(part, key)]


def _normalizes_in_place(rule: dict[str, Any]) -> bool:
    if rule["type"] == "Replace":
        return bool(rule["pattern"] == {"String": " "} and rule["content"] == _SPACE)
    return rule["type"] in _NORMALIZERS


def _splits(splitters: Iterable[dict[str, Any]], *, rewritten: bool) -> bool:
    """Whether pieces never reach over a space: one rule sees to it, the others cut by kinds of characters.

    Args:
        splitters: The rules, in order.
        rewritten: Whether spaces are written as another sign by then, which one splitter only looks for.
    """
    found = False
    for rule in splitters:
        kind = rule["type"]
        splits = (
            kind == "Metaspace" and rule.get("split", True) and rule["replacement"] == _SPACE
            if kind == "Metaspace" or rewritten
            else kind in _SPLIT_AT_SPACES
            or (kind == "ByteLevel" and rule.get("use_regex", True))
            or (kind == "Split" and _is_known(rule))
        )
        # What follows a splitter at spaces is applied to each piece by itself.
        if not (splits or found or kind in _SPLIT_BY_CHARACTER):
            return False
        found |= splits
    return found


def _is_known(rule: dict[str, Any]) -> bool:
    return bool(
        rule["pattern"].get("Regex") in _PATTERNS and rule["behavior"] == "Isolated" and not rule["invert"]
    )


def _merges_between_spaces(model: dict[str, Any]) -> bool:
    """Whether byte-pair merges of a whole text stay between its spaces, written as that sign."""
    return (
        model["type"] == "BPE"
        and _SPACE in model["vocab"]
        and not any(_SPACE in token.lstrip(_SPACE) for token in model["vocab"])
    )


def _keeps_spaces(token: dict[str, Any], normalizer: Any) -> bool:
    """Whether finding an added token neither needs nor swallows a space to its right."""
    content = token["content"]
    if token["rstrip"]:
        return False
    if not token["normalized"]:
        # A run of spaces is never in a text of units, which has single ones.
        return not any(map(str.isspace, content)) or (content.isspace() and len(content) > 1)
    content = _normalized(normalizer, content)
    return not any(sign.isspace() or sign == _SPACE for sign in content[1:]) and not content[:1].isspace()


def _reads_ideographs_together(content: str) -> bool:
    """Whether an added token needs two units that are written without a space between."""
    return len(content) > 1 and any(map(is_spaceless, content))


def _normalized(normalizer: Any, text: str) -> str:
    if normalizer is None:
        return text
    with tokenizing(f"the text {short_name(text)!r}"):
        return str(normalizer.normalize_str(text))


def _begins_anew(rules: Iterable[dict[str, Any]]) -> bool:
    return any(
        rule["type"] == "Prepend"
        or (rule["type"] == "Metaspace" and rule.get("prepend_scheme", "always") != "never")
        or (rule["type"] == "ByteLevel" and rule.get("add_prefix_space", True))
        for rule in rules
    )
