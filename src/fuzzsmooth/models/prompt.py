"""What a causal language model is asked about a text: a template, a chat format, a word for each class.

The text and what stands around it are tokenized by themselves, so that no text can melt with the template,
and a text has the same tokens whatever the template is. Where the template has a space before the text, the
text begins with that space, as its first word would behind another one. No torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.models.chat import as_chat
from fuzzsmooth.models.encoding import model_max_length

SLOT = "{text}"
"""Where the text stands in a template."""

KEY = "fuzzsmooth_prompt"
"""Where a prompt stands in a model's configuration, so that it is saved and hashed with it."""

CONTENT_FREE = ("N/A", "", "[MASK]")
"""Inputs that say nothing, of Zhao et al. (ICML 2021, arXiv 2102.09690), section 5.2."""

_SPACE, _SPACES = " ", ("\u2581", "Ġ")  # and how vocabularies write one

_ANCHOR = "a"  # a text before what stands behind a text


@dataclass(frozen=True, kw_only=True)
class PromptOptions(Options):
    """How a causal language model is asked for the class of a text."""

    template: Annotated[
        str | None,
        "What a causal language model is asked, with {text} where the text stands and \\n for a new "
        "line; the next word answers.",
    ] = None
    label_words: Annotated[
        tuple[str, ...], "The word that answers each class, as in negative=terrible,positive=great."
    ] = ()
    chat: Annotated[bool, "Whether the template is a user's turn in the chat format of the model."] = False
    calibrate: Annotated[
        bool, "Whether what the model answers without any content is divided out (Zhao et al. 2021)."
    ] = False

    @property
    def given(self) -> bool:
        """Whether there is a prompt."""
        return self.template is not None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of their words."""
        return tuple(word.partition("=")[0].strip() for word in self.label_words)

    @property
    def words(self) -> tuple[str, ...]:
        """The word of each class; by default its name."""
        pairs = [word.partition("=") for word in self.label_words]
        return tuple((after if sign else before).strip() for before, sign, after in pairs)

    def validate(self) -> None:
        """Check that template and label words come together, and that the text has its place."""
        if self.template is None:
            alone = bool(self.label_words) or self.chat or self.calibrate
            require(not alone, "label words, chat and calibrate need a template; give it too (--template)")
            return
        check_slot(self.template)
        require(
            len(self.labels) >= 2 and all(self.labels) and all(self.words),
            "a prompt needs a word for each of at least two classes, as in "
            "--label-words negative=terrible,positive=great",
        )
        require(
            len(set(self.labels)) == len(self.labels),
            f"the classes of the label words ({', '.join(self.labels)}) are not distinct; name each once",
        )


@dataclass(frozen=True)
class PromptTokens:
    """A prompt as token ids.

    Attributes:
        before: What stands before a text.
        after: What stands behind it; never empty.
        answers: The first token of each class's word.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    answers: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Tokens around a text."""
        return len(self.before) + len(self.after)


@dataclass(frozen=True)
class PromptText:
    """The prompt of a model as it is written, to write demonstrations as it asks.

    Attributes:
        before: What the template has before the text.
        after: What it has behind it.
        words: The word of each class.
    """

    before: str
    after: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, classifier: Any) -> PromptText:
        """The prompt of a classifier.

        Raises:
            FuzzsmoothError: If it has none.
        """
        saved = getattr(getattr(getattr(classifier, "model", None), "config", None), KEY, None)
        template, words = (saved.get("template"), saved.get("words")) if saved else (None, None)
        if not isinstance(template, str) or template.count(SLOT) != 1 or not isinstance(words, list):
            raise FuzzsmoothError(
                "demonstrations stand in the prompt of a language model, and this classifier has none; make "
                "one (fuzzsmooth prompt), or give --template and --label-words"
            )
        before, after = _lines(template).split(SLOT)
        return cls(before, after, tuple(map(str, words)))

    def demonstration(self, text: str, label: int) -> str:
        """A text with its answer, as the template asks and is answered."""
        return f"{text}{self.after}{_gap(self.after)}{self.words[label]}"

    def with_demonstrations(self, demonstrations: Sequence[str], text: str) -> str:
        """What fills the slot of the template: demonstrations, each behind an empty line, and the text."""
        return f"\n\n{self.before}".join([*demonstrations, text])


def prompt_tokens(options: PromptOptions, tokenizer: Any, name: str) -> tuple[PromptTokens, bool]:
    """The token ids of a prompt, and whether a text in it begins with a space.

    A class is judged by the first token of its word, so that one pass answers; words must differ in it.

    Args:
        options: A prompt.
        tokenizer: The model's tokenizer.
        name: The model's name, for sentences.

    Raises:
        FuzzsmoothError: If the model knows no chat format, or words cannot be told apart by it.
    """
    assert options.template is not None
    before, after = _parts(options.template, tokenizer, name, chat=options.chat)
    require(
        bool(after.strip()),
        f"the template ends with the text, so nothing asks for an answer; write a question behind {SLOT}, "
        "such as a line 'Sentiment:'",
    )
    spaced = before.endswith(" ")
    begin = _begin(tokenizer)
    behind, words = _behind(tokenizer, _ANCHOR, after), _answers(options, tokenizer, after)
    if {_sign(tokenizer, word) for word in words} == {_SPACE}:
        # Their space is a token of its own: then it belongs to the template.
        behind, words = (*behind, words[0][0]), [word[1:] for word in words]
    tokens = PromptTokens(
        (*begin, *_ids(tokenizer, before.removesuffix(" "))),
        behind,
        _first_tokens(options, words, tokenizer, name),
    )
    return tokens, spaced


def template_tokens(
    template: str, tokenizer: Any, name: str, *, chat: bool = False
) -> tuple[PromptTokens, bool]:
    """The token ids of a template behind which a model writes, and whether a text begins with a space.

    Args:
        template: With one slot for the text; unlike that of a prompt it may end with the text.
        tokenizer: The model's tokenizer.
        name: The model's name, for sentences.
        chat: Whether the template is a user's turn in the chat format of the model.

    Raises:
        FuzzsmoothError: If the model knows no chat format.
    """
    before, after = _parts(template, tokenizer, name, chat=chat)
    behind = _behind(tokenizer, _ANCHOR, after) if after else ()
    return PromptTokens((*_begin(tokenizer), *_ids(tokenizer, before.removesuffix(" "))), behind), (
        before.endswith(" ")
    )


def check_slot(template: str) -> None:
    """Check that a text has its place in a template.

    Raises:
        FuzzsmoothError: If it has none, or several.
    """
    require(
        template.count(SLOT) == 1,
        f"the template has {'no' if SLOT not in template else 'more than one'} slot for the text; "
        f"write {SLOT} where the text stands, once",
    )


def text_tokenizer(tokenizer: Any, tokens: PromptTokens, model: Any, *, spaced: bool, answer: int = 0) -> Any:
    """The tokenizer of texts in a prompt: without special tokens, with the space that they begin with.

    Args:
        tokenizer: The model's tokenizer.
        tokens: The prompt, which takes its share of what the model reads.
        model: The model.
        spaced: Whether texts begin with a space.
        answer: How many tokens the model writes behind the prompt.

    Raises:
        FuzzsmoothError: If the tokenizer has no described rules, or no room is left for a text.
    """
    from tokenizers import Tokenizer, normalizers
    from transformers import PreTrainedTokenizerFast

    described = getattr(tokenizer, "backend_tokenizer", None)
    if described is None:
        raise FuzzsmoothError(
            "a prompt needs a tokenizer with a tokenizer.json, whose special tokens can be left out of texts"
        )
    backend = Tokenizer.from_str(described.to_str())
    rules = json.loads(described.to_str())
    if rules.get("post_processor") is not None and rules["post_processor"]["type"] != "ByteLevel":
        from tokenizers.processors import ByteLevel

        backend.post_processor = ByteLevel(trim_offsets=False)  # which adds no token
    bare, behind = (_ids(tokenizer, text) for text in (_ANCHOR, f" {_ANCHOR}"))
    if spaced and bare != behind and not _starts_with_space(tokenizer, bare):
        inner = [] if backend.normalizer is None else [backend.normalizer]
        backend.normalizer = normalizers.Sequence([normalizers.Prepend(" "), *inner])
    roles = ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token", "sep_token", "cls_token")
    special = {role: value for role in roles if (value := getattr(tokenizer, role, None)) is not None}
    limit = model_max_length(model, tokenizer)
    if limit is not None:
        taken = len(tokens) + answer
        more = f" and the answer up to {answer}" if answer else ""
        require(
            limit > taken,
            f"the template has {len(tokens)} tokens{more}, but the model reads {limit}; shorten it",
        )
        special["model_max_length"] = limit - taken
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


def _parts(template: str, tokenizer: Any, name: str, *, chat: bool) -> list[str]:
    """What a template has before the text and behind it."""
    written = _lines(template)
    return (as_chat(written, tokenizer, name) if chat else written).split(SLOT)


def _answers(options: PromptOptions, tokenizer: Any, after: str) -> list[tuple[int, ...]]:
    """The tokens of each class's word where the template ends."""
    return [_behind(tokenizer, after, f"{_gap(after)}{word}") for word in options.words]


def _gap(after: str) -> str:
    """What stands between the end of a template and the answer."""
    return "" if after[-1:].isspace() else " "


def _lines(template: str) -> str:
    """A template with the line breaks that a command line cannot hold."""
    return template.replace("\\n", "\n")


def _sign(tokenizer: Any, word: Sequence[int]) -> str:
    """A space, if a word of several tokens begins with a token that is one; otherwise nothing."""
    token = str(tokenizer.convert_ids_to_tokens(word[0])) if len(word) > 1 else ""
    return _SPACE if token in _SPACES else ""


def _first_tokens(
    options: PromptOptions, words: Sequence[Sequence[int]], tokenizer: Any, name: str
) -> tuple[int, ...]:
    """The first token of each class's word, all different."""
    found: dict[int, str] = {}
    for word, (first, *_) in zip(options.words, words, strict=True):
        require(
            first != tokenizer.unk_token_id,
            f"{name} does not know the label word '{short_name(word)}'; choose another",
        )
        require(
            first not in found,
            f"the label words '{short_name(found.get(first, ''))}' and '{short_name(word)}' begin with the "
            "same token, so the first word of an answer cannot tell them apart; choose other words",
        )
        found[first] = word
    return tuple(found)


def _begin(tokenizer: Any) -> tuple[int, ...]:
    """The special tokens that stand before every text of the model."""
    plain, bare = (
        list(tokenized(tokenizer, [_ANCHOR], add_special_tokens=own)["input_ids"][0]) for own in (True, False)
    )
    for start in range(len(plain) - len(bare) + 1):
        if plain[start : start + len(bare)] == bare:
            return tuple(plain[:start])
    return ()


def _behind(tokenizer: Any, before: str, after: str) -> tuple[int, ...]:
    """The tokens of a string behind another one; its own where both melt."""
    first, both = _ids(tokenizer, before), _ids(tokenizer, before + after)
    if len(both) > len(first) and both[: len(first)] == first:
        return both[len(first) :]
    own = _ids(tokenizer, after.removeprefix(" "))
    return own if _starts_with_space(tokenizer, own) else _ids(tokenizer, after)


def _ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    """The tokens of a part of a template, in which special tokens may be named."""
    if not text:
        return ()
    return tuple(
        tokenized(tokenizer, [text], add_special_tokens=False, split_special_tokens=False)["input_ids"][0]
    )


def _starts_with_space(tokenizer: Any, ids: Sequence[int]) -> bool:
    """Whether a text begins with the sign for a space although it has none."""
    token = str(tokenizer.convert_ids_to_tokens(ids[0])) if ids else ""
    return token.startswith(_SPACES)
