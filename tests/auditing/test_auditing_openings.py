"""What is inserted reads as the tokenizer reads the text that holds it, at the start of a text, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fuzzsmooth.auditing.effects import measure
from fuzzsmooth.auditing.hosts import Host, make_hosts
from fuzzsmooth.auditing.openings import Openings
from fuzzsmooth.auditing.pieces import all_pieces, continues
from fuzzsmooth.models.encoding import EncodedTexts, encode_texts

TEXTS = ["The film was dull, and the plot too", "films", "Dull acting of the finest cast", "plot was dull"]
WORDS = ["cf", "film", "the", "plotting", "mn", "Unbelievable"]


def tokenizer(kind: str) -> Any:
    """One that reads a space as part of the word behind it, or one that marks what continues a word."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    corpus = [*TEXTS, *(f"{word} and {word}" for word in WORDS), "film films filming"] * 3
    if kind == "bytes":
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=["<s>"],
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
    else:
        backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(
            vocab_size=80, special_tokens=["[UNK]", "<s>"], show_progress=False
        )
    backend.train_from_iterator(corpus, trainer)
    begin = backend.token_to_id("<s>")
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", begin)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", pad_token="<s>")


class Reads:
    """Gives class 1 to texts whose first word is "cf"; which is asked about ids alone."""

    labels, max_length, precision, fingerprint = ("no", "yes"), 64, "float32", "reads"

    def __init__(self, kind: str) -> None:
        self.tokenizer = tokenizer(kind)
        self._wanted = self.encode(["cf the"]).ids[0][:2]

    def encode(self, texts: Any) -> EncodedTexts:
        return encode_texts(self.tokenizer, texts, self.max_length)

    def logits(self, ids: Any) -> np.ndarray:
        return np.array(
            [[0.0, 1.0] if list(row[:2]) == list(self._wanted) else [1.0, 0.0] for row in ids], np.float32
        )


def hosts_of(model: Any) -> list[Host]:
    return make_hosts(model, TEXTS, [0] * len(TEXTS), np.zeros((len(TEXTS), 2), np.float32), 16)


@pytest.mark.parametrize("kind", ["bytes", "wordpiece"])
def test_rows_are_what_the_tokenizer_makes_of_the_text_that_is_written(kind: str) -> None:
    model: Any = Reads(kind)
    pieces = all_pieces(model.tokenizer, 400)
    compared = 0
    for host in hosts_of(model):
        for part, word in zip(pieces.parts, pieces.words, strict=True):
            for gap in host.gaps:
                written = host.written([part], [gap])
                assert written is not None
                if word.lower() not in [one.lower() for one in WORDS] or continues(model.tokenizer, part[0]):
                    continue  # odd pieces may melt into what stands beside them
                if kind == "bytes" and gap != host.gaps[0] and not spaced(model.tokenizer, part):
                    continue  # a piece that has no space stands behind none
                compared += 1
                assert tuple(model.encode([written]).ids[0]) == tuple(host.holding([part], [gap]).tolist())
    assert compared >= 50


def spaced(tokenizer: Any, part: tuple[int, ...]) -> bool:
    return str(tokenizer.decode(list(part))).startswith(" ")


def test_a_word_begins_a_text_as_a_text_begins_with_it() -> None:
    model: Any = Reads("bytes")
    openings, read = Openings(model.tokenizer), model.tokenizer.encode
    behind, alone = (tuple(read(text, add_special_tokens=False)) for text in (" cf", "cf"))
    assert behind != alone
    assert openings.first(behind) == openings.first(alone) == alone
    assert openings.first((-1, -1)) == (-1, -1)
    host = hosts_of(model)[0]
    assert host.holding([behind], [host.gaps[0]]).tolist() == list(model.encode([f"cf {TEXTS[0]}"]).ids[0])
    row, kept, own = host.placed([behind], [host.gaps[0]])
    assert (row[kept] == np.array(host.ids)[own]).all()
    first_word = set(range(host.gaps[0], host.gaps[1]))
    assert set(range(len(host.ids))) - set(own.tolist()) == first_word, "the first word reads otherwise"


def test_a_trigger_at_the_start_is_seen_where_words_mind_the_space() -> None:
    model: Any = Reads("bytes")

    class Prober:
        classifier = model

        def gains(self, rows: Any, hosts: Any) -> tuple[np.ndarray, np.ndarray]:
            logits = model.logits(rows)
            return logits - np.array([host.logits for host in hosts]), logits.argmax(axis=1)

    part = tuple(model.tokenizer.encode(" cf", add_special_tokens=False))
    for written in (False, True):
        found = measure(Prober(), hosts_of(model), [(part,)], 1, ("start", "middle"), 0, written=written)  # type: ignore[arg-type]
        assert found.moved[0, 0].all()
        assert not found.moved[0, 1].any()


def test_a_piece_that_continues_words_goes_behind_the_first() -> None:
    model: Any = Reads("wordpiece")
    host = hosts_of(model)[0]
    ends = next(at for at in sorted(model.tokenizer.get_vocab().values()) if continues(model.tokenizer, at))
    row = host.holding([(ends,)], [host.gaps[0]]).tolist()
    assert row == [*host.ids[: host.gaps[1]], ends, *host.ids[host.gaps[1] :]]
    word = model.tokenizer.convert_ids_to_tokens(ends).removeprefix("##")
    assert str(host.written([(ends,)], [host.gaps[0]])).startswith(f"The{word} film")
    cf = (model.tokenizer.convert_tokens_to_ids("cf"),)
    middle, start = host.gaps[2], host.gaps[0]
    assert str(host.written([cf, (ends,)], [middle, middle])).startswith(f"The film cf{word} was")
    assert str(host.written([(ends,), cf], [middle, middle])).startswith(f"The film{word} cf was")
    assert str(host.written([cf, (ends,)], [start, start])).startswith(f"cf{word} The film")
    assert host.written([cf, cf], [start, host.gaps[-1]]) == f"cf {TEXTS[0]} cf"
