"""From texts to token ids, and how long a text a model can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.texts import checked_texts
from fuzzsmooth.common.tokenizing import tokenized, tokenizing

DEFAULT_MAX_LENGTH = 512
"""Cap of the default length in tokens: cost grows with it, and classification data rarely exceeds it."""

_NO_LIMIT = 1_000_000  # Tokenizers without a limit report about 1e30.
_LENGTH_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length")


@dataclass(frozen=True)
class EncodedTexts:
    """Token ids of texts.

    Attributes:
        ids: One list per text, special tokens included, never empty, at most ``max_length`` long.
        truncated: Whether the text was cut to fit.
    """

    ids: list[list[int]]
    truncated: list[bool]


def encode_texts(tokenizer: Any, texts: Iterable[str], max_length: int) -> EncodedTexts:
    """Tokenize texts and cut them at ``max_length`` tokens, special tokens kept.

    A text is read as text: the name of a special token in it ("</s>", "[SEP]") is spelled, so that no text
    can end itself or mark itself as padding. The mask alone may be named: masking writes it into texts. Lone
    surrogates, which UTF-8 cannot express, are read as U+FFFD. A text without any token (an empty text under
    a tokenizer that adds no special tokens) becomes one filler token, because a model needs one.

    Raises:
        FuzzsmoothError: If ``texts`` is one string, an item is not a string, or the tokenizer fails on
            one.
    """
    words = [_well_formed(text) for text in checked_texts(texts)]
    if not words:
        return EncodedTexts([], [])
    ids: list[list[int]] = [[] for _ in words]
    truncated = [False] * len(words)
    spelling = _Spelling(tokenizer, max_length)
    masked = [spelling.holds_mask(text) for text in words]
    for names in (False, True):
        chosen = [index for index, holds in enumerate(masked) if holds is names]
        cut = _cut(tokenizer, [words[index] for index in chosen], max_length, names=names)
        for index, row, more in zip(chosen, *cut, strict=True):
            ids[index], truncated[index] = row, more
            if spelling.holds_names(row):
                ids[index], truncated[index] = spelling.spelled(words[index], names=names)
    filler = [_filler_id(tokenizer)]
    return EncodedTexts([row or filler for row in ids], truncated)


def switch_off_dropout(tokenizer: Any) -> bool:
    """Have a tokenizer read a text in one way only, as the model's layers do when they are evaluated.

    Byte-pair merges may be left out at random, which is meant for training.

    Returns:
        Whether there was any dropout.
    """
    model = getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None)
    if model is None or not getattr(model, "dropout", None):
        return False
    model.dropout = None
    return True


def model_max_length(model: Any, tokenizer: Any) -> int | None:
    """The longest token sequence (special tokens included) that a model reads; ``None`` where unlimited.

    The smallest of the tokenizer's and the model's own limits. RoBERTa and its kin start counting positions
    after the padding index, so that many rows of their position table are out of reach.
    """
    config = model.config.get_text_config()
    limits = [getattr(config, key, None) for key in _LENGTH_KEYS] + [tokenizer.model_max_length]
    for name, module in model.named_modules():
        table, padding = getattr(module, "weight", None), getattr(module, "padding_idx", None)
        if padding is not None and table is not None and "position" in name.rsplit(".", 1)[-1]:
            limits.append(len(table) - padding - 1)
    known = [int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < _NO_LIMIT]
    return min(known, default=None)


def choose_max_length(model: Any, tokenizer: Any, wanted: int | None) -> int:
    """The length to use: what is wanted, or the model's limit but at most ``DEFAULT_MAX_LENGTH``.

    Raises:
        FuzzsmoothError: If more is wanted than the model reads, or no room is left for a single word.
    """
    limit = model_max_length(model, tokenizer)
    shortest = int(tokenizer.num_special_tokens_to_add()) + 1
    chosen = wanted if wanted is not None else min(limit or DEFAULT_MAX_LENGTH, DEFAULT_MAX_LENGTH)
    if limit is not None and chosen > limit:
        raise FuzzsmoothError(f"max_length is {chosen}, but the model reads at most {limit} tokens")
    if chosen < shortest:
        raise FuzzsmoothError(f"max_length is {chosen}, but this tokenizer needs at least {shortest}")
    return chosen


def settle_padding(model: Any, tokenizer: Any) -> int:
    """Choose the padding id and tell model and tokenizer, which a decoder checkpoint often leaves open.

    The model's own choice goes first: RoBERTa counts positions by it, decoders find the last token by it.
    """
    config = model.config.get_text_config()
    vocabulary = int(getattr(config, "vocab_size", 0) or len(tokenizer))
    for candidate in (config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id):
        if isinstance(candidate, int) and 0 <= candidate < vocabulary:
            break
    else:
        raise FuzzsmoothError(
            "the tokenizer has neither a padding nor an end token; add one and save the model again"
        )
    config.pad_token_id = model.config.pad_token_id = candidate
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(candidate)
    tokenizer.padding_side = "right"
    return candidate


def _cut(
    tokenizer: Any, words: Sequence[str], max_length: int, *, names: bool
) -> tuple[list[list[int]], list[bool]]:
    """The ids of texts cut to fit, and which were cut; ``names`` as in :func:`_tokenized`."""
    if not words:
        return [], []
    batch = _tokenized(tokenizer, words, names=names, truncation=True, max_length=max_length)
    ids = [list(row) for row in batch["input_ids"]]
    if batch.encodings is not None:
        return ids, [bool(encoding.overflowing) for encoding in batch.encodings]
    # A tokenizer written in Python does not keep what it cut off.
    whole = _tokenized(tokenizer, words, names=names, truncation=False)["input_ids"]
    return ids, [len(full) > len(cut) for full, cut in zip(whole, ids, strict=True)]


class _Spelling:
    """Takes the special tokens out of a text that names them.

    Tokenizers can be told not to look for such names, but their vocabularies still hold them: a Unigram
    model, or one whose words are whole, finds "</s>" in a text by itself.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        added = getattr(tokenizer, "added_tokens_decoder", {})
        special = {index for index, token in added.items() if token.special}
        roles = {getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "cls", "sep", "pad")}
        mask = tokenizer.mask_token_id
        allowed = {tokenizer.unk_token_id, *({mask} - roles)}
        self._special = (special | set(tokenizer.all_special_ids)) - allowed
        self._mask = tokenizer.mask_token if mask in allowed else None
        self._own = int(tokenizer.num_special_tokens_to_add())

    def holds_mask(self, text: str) -> bool:
        """Whether a text names the mask."""
        return self._mask is not None and self._mask in text

    def holds_names(self, row: Sequence[int]) -> bool:
        """Whether a row has more special tokens than the tokenizer puts around every text."""
        return sum(map(self._special.__contains__, row)) > self._own

    def spelled(self, text: str, *, names: bool) -> tuple[list[int], bool]:
        """The ids of a text whose special names are spelled letter by letter, cut to fit; and whether cut."""
        content: list[int] = []
        bare = _tokenized(self._tokenizer, [text], names=names, truncation=False, add_special_tokens=False)
        for index in bare["input_ids"][0]:
            content += self._letters(index) if index in self._special else [index]
        before, after = self._ends()
        room = self._max_length - len(before) - len(after)
        left = getattr(self._tokenizer, "truncation_side", "right") == "left"
        kept = content[max(0, len(content) - room) :] if left else content[:room]
        return [*before, *kept, *after], len(content) > room

    def _letters(self, index: int) -> list[int]:
        name = str(self._tokenizer.convert_ids_to_tokens(index))
        if len(name) < 2:
            return [index]  # a letter is text, whatever else it serves as
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        ids: list[int] = []
        for letter in name:
            if backend is None:
                ids.append(self._tokenizer.convert_tokens_to_ids(letter))
            else:
                with tokenizing(f"the letter {letter!r}"):
                    ids += [token.id for token in backend.model.tokenize(letter)]
        return [one for one in ids if one is not None and one not in self._special]

    def _ends(self) -> tuple[list[int], list[int]]:
        """The special tokens that stand before and after every text."""
        plain, bare = (
            list(_tokenized(self._tokenizer, ["a"], truncation=False, add_special_tokens=own)["input_ids"][0])
            for own in (True, False)
        )
        for start in range(len(plain) - len(bare) + 1):
            if bare and plain[start : start + len(bare)] == bare:
                return plain[:start], plain[start + len(bare) :]
        return plain[: len(plain) - len(bare)], []


def _tokenized(tokenizer: Any, words: Sequence[str], *, names: bool = False, **options: Any) -> Any:
    """The tokenizer's answer to texts; ``names`` is whether it reads names of special tokens as such."""
    return tokenized(tokenizer, words, split_special_tokens=not names, **options)


def _well_formed(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Surrogate pairs become their character, lone ones U+FFFD.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _filler_id(tokenizer: Any) -> int:
    for kind in ("bos", "cls", "eos", "sep", "pad", "unk"):
        value = getattr(tokenizer, f"{kind}_token_id", None)
        if value is not None:
            return int(value)
    return 0
