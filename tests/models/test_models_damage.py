"""Damaged, wrong or missing files of a checkpoint: one sentence names the file and the fault."""

import json
import pickle
import shutil
import struct

import pytest
import torch
from broken_models import edit_json, edit_tensors, refused

from fuzzsmooth.models import build_tiny


def header_of(content: bytes) -> dict:
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size])


def with_header(content: bytes, header: bytes) -> bytes:
    (size,) = struct.unpack("<Q", content[:8])
    return struct.pack("<Q", len(header)) + header + content[8 + size :]


def corruptions():
    yield "empty", lambda content: b""
    yield "truncated length", lambda content: content[:5]
    yield "truncated header", lambda content: content[:100]
    yield "truncated tensors", lambda content: content[:-10]
    yield "trailing bytes", lambda content: content + b"1234"
    yield "header longer than the file", lambda content: struct.pack("<Q", 10**7) + content[8:]
    yield "huge header", lambda content: struct.pack("<Q", 2**62) + content[8:]
    yield "header is not JSON", lambda content: content[:8] + b"X" + content[9:]
    yield "header is a list", lambda content: with_header(content, b"[1, 2]")
    yield "dtype does not fit the bytes", lambda content: content.replace(b'"F32"', b'"F64"', 1)
    yield "unknown dtype", lambda content: content.replace(b'"F32"', b'"Q99"', 1)
    yield "pickle", lambda content: pickle.dumps({"a": 1})

    def overlapping(content):
        header = header_of(content)
        first = next(name for name in header if name != "__metadata__")
        header[first]["data_offsets"] = [0, 10**9]
        return with_header(content, json.dumps(header).encode())

    yield "offsets out of range", overlapping


@pytest.mark.parametrize(("kind", "damage"), list(corruptions()), ids=[name for name, _ in corruptions()])
def test_a_corrupt_safetensors_file_is_named(bert, kind, damage):
    path = bert / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    assert "model.safetensors is not a sound safetensors file" in refused(bert)


def test_weights_of_an_integer_type_are_refused(bert):
    def integers(tensors):
        return tensors | {"classifier.weight": tensors["classifier.weight"].to(torch.int32)}

    edit_tensors(bert, integers)
    assert "classifier.weight has type int32" in refused(bert)


def test_a_wrong_shape_is_named(bert):
    edit_tensors(bert, lambda t: t | {"bert.embeddings.word_embeddings.weight": torch.zeros(3, 32)})
    assert "word_embeddings.weight has shape [3, 32]" in refused(bert)


def test_missing_encoder_weights_are_named_even_when_a_head_is_asked(bert):
    def cut(tensors):
        return {name: tensor for name, tensor in tensors.items() if "layer.1" not in name}

    edit_tensors(bert, cut)
    assert "weights are missing from the checkpoint" in refused(bert)
    assert "weights are missing from the checkpoint" in refused(bert, num_labels=3)


def test_a_configuration_larger_than_its_checkpoint_costs_no_memory(bert):
    edit_json(bert / "config.json", max_position_embeddings=10**11)
    assert "parameters, but the checkpoint holds" in refused(bert)


def test_deeply_nested_configurations(bert):
    (bert / "config.json").write_text('{"a": ' * 100_000 + "1" + "}" * 100_000)
    assert "is not JSON" in refused(bert)
    (bert / "config.json").write_text('{"a": ' * 700 + "1" + "}" * 700)
    refused(bert)


def test_weights_that_are_not_numbers_are_refused(bert):
    edit_tensors(bert, lambda t: t | {"classifier.bias": torch.full_like(t["classifier.bias"], float("nan"))})
    assert "not finite" in refused(bert)


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("config.json", "{", "config.json is not JSON"),
        ("config.json", "[1]", "holds a list, not a JSON object"),
        ("config.json", '{"model_type": "no-such-model"}', "not describe a model that transformers knows"),
        ("config.json", '{"model_type": "bert", "hidden_size": "many"}', "config.json"),
        ("config.json", '{"model_type": "bert", "hidden_size": 31, "num_attention_heads": 4}', "config.json"),
        ("config.json", '{"model_type": "vit"}', "no classifier of type 'vit'"),
        ("tokenizer.json", "{}", "the tokenizer cannot be loaded"),
        ("tokenizer.json", "not json", "tokenizer.json is not JSON"),
        ("tokenizer_config.json", "not json", "tokenizer_config.json is not JSON"),
    ],
)
def test_broken_configuration_files(bert, file, content, expected):
    (bert / file).write_text(content)
    assert expected in refused(bert)


def test_missing_files_are_named(bert):
    saved = (bert / "model.safetensors").read_bytes()
    (bert / "model.safetensors").unlink()
    assert "no model.safetensors" in refused(bert)
    (bert / "model.safetensors").write_bytes(saved)
    (bert / "tokenizer.json").unlink()
    assert "tokenizer" in refused(bert)
    (bert / "tokenizer_config.json").unlink()
    assert "has no tokenizer" in refused(bert)
    (bert / "config.json").unlink()
    assert "no config.json" in refused(bert)


def test_a_tokenizer_of_another_model_is_refused(bert, tmp_path):
    other = build_tiny("bert", tmp_path / "other", vocabulary=[f"w{i}" for i in range(50)])
    shutil.copy(other / "tokenizer.json", bert / "tokenizer.json")
    assert "embeddings; use the model's own tokenizer" in refused(bert)
