"""Model folders of strangers cost nothing: sizes, layers, rules and labels without end are one sentence."""

import base64
import json
import os
import re
import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from broken_models import WORDS, edit_json, refused

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import ModelWarning, build_tiny, load_classifier


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("original") / "bert"
    return build_tiny("bert", folder, vocabulary=WORDS, num_labels=3)


@pytest.fixture
def bert(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


# --- sizes


@pytest.mark.parametrize("layers", [3000, 100_000, 10**7, 10**15])
def test_layers_are_compared_with_the_checkpoint_before_they_are_built(bert, layers):
    edit_json(bert / "config.json", num_hidden_layers=layers)
    started = time.process_time()
    message = refused(bert)
    assert "modules, but the checkpoint holds" in message or "more than any model has" in message
    assert time.process_time() - started < 5


def test_numbers_out_of_proportion_are_refused(bert):
    edit_json(bert / "config.json", num_labels=10**8)
    assert "num_labels is 1e+08, more than any model has" in refused(bert)
    edit_json(bert / "config.json", num_labels=3, vocab_size=10**200)
    assert "vocab_size is 1e+200" in refused(bert)


@pytest.mark.parametrize(
    "file",
    ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "fuzzsmooth.json",
     "model.safetensors.index.json"],
)  # fmt: skip
def test_files_without_end_are_not_read(bert, file):
    if file.endswith("index.json"):
        (bert / "model.safetensors").unlink()
    with open(bert / file, "wb") as stream:
        stream.truncate(20 * 2**30)  # sparse: takes no room
    assert "is larger than" in refused(bert)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "fuzzsmooth.json"])
def test_pipes_are_not_waited_for(bert, file):
    (bert / file).unlink(missing_ok=True)
    os.mkfifo(bert / file)
    assert "is not a regular file" in refused(bert)


def test_weights_that_may_not_be_read(bert, monkeypatch):
    def denied(path, *arguments, **keywords):
        if str(path).endswith(".safetensors"):
            raise PermissionError(13, "Permission denied", str(path))
        return builtins_open(path, *arguments, **keywords)

    builtins_open = open
    monkeypatch.setattr("builtins.open", denied)
    assert "model.safetensors: Permission denied; make the file readable" in refused(bert)


# --- tokenizers


def rules(bert, **changes):
    edit_json(bert / "tokenizer.json", **changes)


def replace(pattern, content):
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


@pytest.mark.parametrize(
    ("normalizer", "expected"),
    [
        ({"type": "Sequence", "normalizers": [replace("a", "a" * 10)] * 9}, "1e+09 times as long"),
        ({"type": "Prepend", "prepend": "a" * 100_000}, "writes 100,000 characters in place of one"),
        (replace("zq", "z" * 100_000), "writes 100,000 characters in place of one"),
        (
            {"type": "Sequence", "normalizers": [
                {"type": "Replace", "pattern": {"Regex": "(?=é)"}, "content": "é"}] * 30},
            "1e+09 times as long",
        ),
        ({"type": "Sequence", "normalizers": [{"type": "ByteLevel"}] * 20}, "1e+12 times as long"),
        ({"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 5000}, "rules as its normalizer"),
        ({"type": "Replace", "pattern": {"Regex": "."}, "content": "a " * 20}, "tokens of a text of"),
        ({"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"Regex": "x"}, "content": ""}] * 65}, "65 regular expressions"),
    ],
)  # fmt: skip
def test_rules_that_grow_texts_are_refused(bert, normalizer, expected):
    rules(bert, normalizer=normalizer)
    started = time.process_time()
    assert expected in refused(bert)
    assert time.process_time() - started < 5


def test_a_table_of_characters_that_writes_much_for_one_is_refused(bert):
    trie = (1024).to_bytes(4, "little") + bytes(1024)
    table = base64.b64encode(trie + b"a" * 20_000 + b"\0").decode()
    rules(bert, normalizer={"type": "Precompiled", "precompiled_charsmap": table})
    assert "times as long" in refused(bert)


@pytest.mark.parametrize(
    "table", [b"", b"\x04\0\0", (2**31).to_bytes(4, "little") + b"abc", b"\x04\0\0\0abcd\xff", "x", 5, [1]]
)
def test_a_damaged_table_of_characters_is_refused(bert, table):
    text = base64.b64encode(table).decode() if isinstance(table, bytes) else table
    rules(bert, normalizer={"type": "Precompiled", "precompiled_charsmap": text})
    assert "has a precompiled_charsmap that is damaged" in refused(bert)


def test_an_unknown_token_that_is_unknown(bert):
    edit_json(bert / "tokenizer_config.json", unk_token="")
    assert "unknown token '' is not in its vocabulary" in refused(bert)


FORGED = {"content": "[UNK]", "\x1b[2Jforged answer": 1}


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("tokenizer.json", {"added_tokens": [FORGED | {"id": 1}]}),
        ("tokenizer_config.json", {"unk_token": FORGED}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"1": FORGED}}),
        ("tokenizer_config.json", {"extra_special_tokens": [FORGED]}),
        ("tokenizer_config.json", {"other": [{"deep": FORGED | {"__type": "AddedToken"}}]}),
        ("special_tokens_map.json", {"unk_token": FORGED}),
        ("special_tokens_map.json", {"odd": FORGED}),
        ("special_tokens_map.json", {"extra_special_tokens": [FORGED]}),
    ],
)
def test_nothing_of_a_model_is_printed(bert, file, changes, capfd):
    if not (bert / file).exists():
        (bert / file).write_text("{}")
    edit_json(bert / file, **changes)
    assert "with the property '␛[2Jforged answer', which no token has" in refused(bert)
    assert capfd.readouterr().out == ""


def test_a_part_of_the_configuration_that_is_none(bert):
    edit_json(bert / "config.json", text_config=5)
    assert "has no attribute" in refused(bert)


@pytest.mark.parametrize(("pattern", "times"), [("a*a*a*(?<=b)", 1), (r".*.*.*(?<=\x00)", 20)])
def test_expressions_that_take_very_long_are_met_while_it_is_short(bert, pattern, times):
    rule = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    rules(bert, pre_tokenizer={"type": "Sequence", "pretokenizers": [rule] * times})
    started = time.process_time()
    assert re.search("the tokenizer takes|retry-limit-in-match over", refused(bert))
    assert time.process_time() - started < 30


def test_a_rule_that_panics_is_named_with_the_text(bert):
    pattern = {"Regex": "(q|q|q?)*$b|(q+)+$c"}
    rules(bert, normalizer={"type": "Replace", "pattern": pattern, "content": "x"})
    loaded = load_classifier(str(bert))
    with pytest.raises(FuzzsmoothError, match=r"tokenizer fails on text 1, 'qqqq.*retry-limit-in-match over"):
        loaded.probabilities(["good", "q" * 40])
    assert loaded.probabilities(["good"]).shape == (1, 3)


def test_a_tokenizer_that_fails_on_every_text(bert):
    content = json.loads((bert / "tokenizer.json").read_text())
    content["model"]["unk_token"] = "nope"
    (bert / "tokenizer.json").write_text(json.dumps(content))
    assert "tokenizer fails on text 0" in refused(bert)


def test_dropout_of_merges_is_switched_off_with_a_note(bert):
    letters = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "f", "i", "fi"]
    vocab = {token: index for index, token in enumerate(letters)}
    model = {"type": "BPE", "dropout": 0.5, "unk_token": "[UNK]", "vocab": vocab, "merges": [["f", "i"]]}
    rules(bert, model=model)
    with pytest.warns(ModelWarning, match="the dropout of its tokenizer is switched off"):
        loaded = load_classifier(str(bert))
    assert loaded.encode(["fi " * 20] * 3).ids == [[2, *[7] * 20, 3]] * 3


@pytest.mark.parametrize("value", ["x", [1], True])
def test_a_length_limit_that_is_no_number(bert, value):
    edit_json(bert / "tokenizer_config.json", model_max_length=value)
    assert "model_max_length is" in refused(bert)


def test_a_sentencepiece_file_alone_names_what_reads_it(bert):
    if find_spec("sentencepiece") is not None:
        pytest.skip("sentencepiece is installed")
    (bert / "tokenizer.json").unlink()
    (bert / "spm.model").write_bytes(b"x")
    assert "pip install 'fuzzsmooth[sentencepiece]'" in refused(bert)


# --- labels


def test_labels_of_strangers_are_made_printable_and_bounded(bert):
    names = {"0": "\x1b[31mNEG", "1": "pos\r\nforged", "2": "fine"}
    edit_json(bert / "config.json", id2label=names, label2id={})
    assert load_classifier(str(bert)).labels == ("␛[31mNEG", "pos␍␊forged", "fine")
    edit_json(bert / "config.json", id2label=names | {"2": "x" * 100_000})
    assert "the label of class 2 in config.json has 100,000 characters" in refused(bert)
