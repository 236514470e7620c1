"""Loading: what a hostile or broken checkpoint gets is one sentence, and never execution."""

import json
import pickle
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from broken_models import WORDS, edit_json, edit_tensors, refused
from safetensors.torch import load_file, save_file

from fuzzsmooth.common.errors import UnsafeModelError
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier, resolve_model
from fuzzsmooth.models.loading import ModelWarning
from fuzzsmooth.models.sources import model_folder

ARCHITECTURES = ["bert", "roberta", "distilbert", "llama"]


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, Path]:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("originals")
    return {kind: build_tiny(kind, root / kind, vocabulary=WORDS, num_labels=3) for kind in ARCHITECTURES}


@pytest.fixture
def bert(originals, tmp_path) -> Path:
    return Path(shutil.copytree(originals["bert"], tmp_path / "model"))


class Payload:
    """Unpickling this would create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def header_of(content: bytes) -> dict:
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size])


def with_header(content: bytes, header: bytes) -> bytes:
    (size,) = struct.unpack("<Q", content[:8])
    return struct.pack("<Q", len(header)) + header + content[8 + size :]


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_loads_every_architecture_with_the_checkpoints_own_weights(originals, kind):
    classifier = load_classifier(str(originals[kind]))
    assert isinstance(classifier, HuggingFaceClassifier)
    assert classifier.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    stored = load_file(originals[kind] / "model.safetensors")
    state = classifier.model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in stored.items())
    assert classifier.max_length == 128


def test_labels_can_be_named_and_must_fit(bert):
    assert load_classifier(str(bert), labels=["x", "y", "z"]).labels == ("x", "y", "z")
    assert "2 labels were given, but the model has 3 outputs" in refused(bert, labels=["x", "y"])
    assert "not distinct" in refused(bert, labels=["x", "x", "z"])


# --- pickles


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.pt", "model.pth", "weights.pkl", "last.ckpt"])
def test_a_folder_with_only_a_pickle_is_refused_and_nothing_runs(bert, tmp_path, file):
    (bert / "model.safetensors").unlink()
    proof = tmp_path / "executed"
    (bert / file).write_bytes(pickle.dumps(Payload(proof)))
    assert f"only a pickle checkpoint ({file})" in refused(bert)
    refused(bert, allow_bin=True)
    assert not proof.exists()


@pytest.mark.parametrize("archive", [True, False])
def test_a_bin_with_code_does_not_run_even_when_bin_is_allowed(bert, tmp_path, archive):
    (bert / "model.safetensors").unlink()
    proof = tmp_path / "executed"
    content = {"bert.embeddings.word_embeddings.weight": Payload(proof)}
    torch.save(content, bert / "pytorch_model.bin", _use_new_zipfile_serialization=archive)
    with pytest.raises(UnsafeModelError, match="something other than tensors"):
        load_classifier(str(bert), allow_bin=True)
    assert not proof.exists()
    # The payload is live: trusted loading would have run it.
    torch.load(bert / "pytorch_model.bin", weights_only=False)
    assert proof.exists()


def test_a_distributed_checkpoint_is_refused_and_its_pickled_metadata_never_read(bert, tmp_path):
    (bert / "model.safetensors").unlink()
    proof = tmp_path / "executed"
    (bert / ".metadata").write_bytes(pickle.dumps(Payload(proof)))
    (bert / "__0_0.distcp").write_bytes(b"x")
    assert "pickle checkpoint" in refused(bert)
    assert not proof.exists()


def test_allow_bin_loads_plain_tensors(bert):
    tensors = load_file(bert / "model.safetensors")
    expected = load_classifier(str(bert)).fingerprint
    (bert / "model.safetensors").unlink()
    torch.save(tensors, bert / "pytorch_model.bin")
    assert "set allow_bin" in refused(bert)
    assert load_classifier(str(bert), allow_bin=True).fingerprint == expected


def test_safetensors_win_over_a_bin_beside_them(bert, tmp_path):
    (bert / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(tmp_path / "executed")))
    load_classifier(str(bert), allow_bin=True)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [[1, 2], {"weight": 3}])
def test_a_bin_that_is_no_state_dict_is_refused(bert, content):
    (bert / "model.safetensors").unlink()
    torch.save(content, bert / "pytorch_model.bin")
    assert "not a plain dictionary of tensors" in refused(bert, allow_bin=True)


def test_a_truncated_bin_is_refused(bert):
    (bert / "model.safetensors").unlink()
    torch.save({"a.weight": torch.zeros(100)}, bert / "pytorch_model.bin")
    content = (bert / "pytorch_model.bin").read_bytes()
    (bert / "pytorch_model.bin").write_bytes(content[: len(content) // 2])
    assert "pytorch_model.bin" in refused(bert, allow_bin=True)


# --- code and other tricks in configurations


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_remote_code_is_refused(bert, tmp_path, file):
    (bert / "evil.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\nclass Evil: pass\n")
    edit_json(bert / file, auto_map={"AutoConfig": "evil.Evil", "AutoTokenizer": ["evil.Evil", "evil.Evil"]})
    with pytest.raises(UnsafeModelError, match="auto_map"):
        load_classifier(str(bert))
    assert not (tmp_path / "executed").exists()


def test_remote_code_of_a_nested_part_is_refused(bert):
    edit_json(bert / "config.json", text_config={"auto_map": {"AutoModel": "evil.Evil"}})
    with pytest.raises(UnsafeModelError, match="auto_map"):
        load_classifier(str(bert))


@pytest.mark.parametrize(
    "key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"]
)
def test_a_kernel_from_elsewhere_is_refused(bert, key):
    edit_json(bert / "config.json", **{key: "someone/kernel"})
    with pytest.raises(UnsafeModelError, match="kernel"):
        load_classifier(str(bert))


def test_quantized_weights_are_refused_and_a_left_over_description_is_not(bert):
    expected = load_classifier(str(bert)).fingerprint
    edit_json(bert / "config.json", quantization_config={"quant_method": "gptq"})
    assert load_classifier(str(bert)).fingerprint == expected
    name = "bert.encoder.layer.0.output.dense"
    edit_tensors(bert, lambda t: t | {f"{name}.qweight": torch.zeros(4, 4, dtype=torch.int32)})
    assert f"quantized weights (such as {name}.qweight)" in refused(bert)


def test_adapters_are_refused_and_their_left_over_configuration_is_not(bert):
    (bert / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/model"}')
    assert load_classifier(str(bert)).labels
    (bert / "adapter_model.safetensors").write_bytes(b"x")
    assert "holds an adapter beside a model" in refused(bert)
    (bert / "model.safetensors").unlink()
    (bert / "adapter_model.safetensors").unlink()
    assert "holds an adapter; merge it into its base model" in refused(bert)
    (bert / "config.json").unlink()
    assert "holds an adapter; merge it into its base model" in refused(bert)


@pytest.mark.parametrize("kind", ["flash_attention_2", "flex_attention"])
def test_an_attention_of_another_package_gives_way(bert, kind):
    expected = load_classifier(str(bert)).probabilities(["good film"])
    edit_json(bert / "config.json", _attn_implementation=kind, attn_implementation=kind)
    np.testing.assert_array_equal(load_classifier(str(bert)).probabilities(["good film"]), expected)


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/etc/passwd", "sub/x.safetensors", "evil.bin"])
def test_an_index_cannot_point_outside_its_folder(bert, shard):
    (bert / "model.safetensors").rename(bert.parent / "outside.safetensors")
    (bert / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(UnsafeModelError, match=r"not a \.safetensors file of its folder"):
        load_classifier(str(bert))


def test_shards_are_read_and_a_missing_one_is_named(bert):
    expected = load_classifier(str(bert)).fingerprint
    tensors = load_file(bert / "model.safetensors")
    (bert / "model.safetensors").unlink()
    names, index = sorted(tensors), {}
    for number, part in enumerate([names[::2], names[1::2]]):
        file = f"model-0000{number + 1}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, bert / file)
        index |= dict.fromkeys(part, file)
    (bert / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    assert load_classifier(str(bert)).fingerprint == expected
    (bert / file).unlink()
    assert file in refused(bert)
    (bert / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {}}))
    assert "no weight_map" in refused(bert)


def test_a_symlinked_folder_and_file_are_fine(bert, tmp_path):
    (bert / "model.safetensors").rename(tmp_path / "blob")
    (bert / "model.safetensors").symlink_to(tmp_path / "blob")
    (tmp_path / "link").symlink_to(bert)
    assert load_classifier(str(tmp_path / "link")).labels


# --- damage


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


# --- heads


def headless(tensors):
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier")}


def test_a_model_without_a_head_needs_num_labels(bert):
    edit_tensors(bert, headless)
    assert "has no classifier head (no classifier.bias)" in refused(bert)
    fresh = load_classifier(str(bert), num_labels=4, labels=["a", "b", "c", "d"])
    assert fresh.probabilities(["good film"]).shape == (1, 4)
    assert fresh.labels == ("a", "b", "c", "d")


def test_a_fresh_head_depends_on_the_seed_alone(bert):
    edit_tensors(bert, headless)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    heads = [
        load_classifier(str(bert), num_labels=2, seed=seed).model.classifier.weight for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's random state was touched"
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_head_of_another_size_is_not_thrown_away(originals, kind):
    assert "has a head already, with 3 classes, not 5" in refused(originals[kind], num_labels=5)
    assert load_classifier(str(originals[kind]), num_labels=3).labels == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_regression_and_multi_label_models_are_refused(bert):
    edit_json(bert / "config.json", problem_type="multi_label_classification")
    assert "one class per text" in refused(bert)
    edit_json(bert / "config.json", problem_type=None, id2label={"0": "score"}, label2id={"score": 0})
    assert "one output (regression)" in refused(bert)
    assert "at least two" in refused(bert, num_labels=1)


def test_labels_with_gaps_are_refused(bert):
    edit_json(bert / "config.json", id2label={"0": "a", "1": "b", "7": "c"})
    assert "id2label" in refused(bert)


def test_a_wrapper_of_all_names_is_taken_off_and_of_some_is_named(bert):
    expected = load_classifier(str(bert)).fingerprint
    original = load_file(bert / "model.safetensors")
    edit_tensors(bert, lambda t: {f"_orig_mod.module.{name}": tensor for name, tensor in t.items()})
    assert load_classifier(str(bert)).fingerprint == expected
    edit_tensors(bert, lambda t: {f"_orig_mod.{n}" if "layer" in n else n: v for n, v in original.items()})
    assert "some names hold '_orig_mod.', so save the model without its wrapper" in refused(bert)


def test_a_head_made_by_hand_is_not_dropped(bert):
    def by_hand(tensors):
        return headless(tensors) | {"classifier.0.weight": torch.zeros(8, 32)}

    edit_tensors(bert, by_hand)
    assert "its head is not that of BertForSequenceClassification (it has classifier.0.weight)" in refused(
        bert
    )
    with pytest.warns(ModelWarning, match=r"weights of another task are left aside \(1 of"):
        load_classifier(str(bert), num_labels=3)


def test_weights_of_another_model_are_not_dropped(bert):
    edit_tensors(bert, lambda t: t | {"bert.encoder.layer.2.output.dense.weight": torch.zeros(32, 64)})
    assert "the checkpoint has 1 weights that BertForSequenceClassification" in refused(bert)


def test_the_head_of_pretraining_is_left_aside_with_a_word(bert):
    expected = load_classifier(str(bert)).fingerprint
    edit_tensors(bert, lambda t: t | {"cls.predictions.bias": torch.zeros(11)})
    with pytest.warns(
        ModelWarning, match=r"left aside \(1 of the checkpoint's, such as cls\.predictions\.bias\)"
    ):
        assert load_classifier(str(bert)).fingerprint == expected


def test_a_head_of_another_task_with_the_same_tensors_is_refused(bert):
    edit_json(bert / "config.json", architectures=["BertForTokenClassification"])
    assert "made for another task (BertForTokenClassification)" in refused(bert)


@pytest.mark.parametrize(
    "name", ["bert.embeddings.position_ids", "bert.pooler.extra.weight", "bert.encoder.layer.0.attn.bias"]
)
def test_what_newer_models_compute_is_left_aside_silently(bert, name, recwarn):
    edit_tensors(bert, lambda t: t | {name: torch.zeros(1, 128)})
    load_classifier(str(bert))
    assert not [one for one in recwarn if one.category is ModelWarning]


def test_a_device_that_computes_nothing_is_refused(bert):
    assert "there is no device 'meta' here" in refused(bert, device="meta")


# --- names


def test_names(bert, tmp_path, monkeypatch):
    assert resolve_model(str(bert)).kind == "folder"
    assert resolve_model("someone/some-model").kind == "hub"
    assert resolve_model("some-model").kind == "hub"
    monkeypatch.chdir(tmp_path)
    assert resolve_model("model").kind == "folder"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "is not a name"),
        ("a\0b", "is not a name"),
        ("./nowhere", "there is no folder ./nowhere"),
        ("/nowhere/at/all", "there is no folder"),
        ("a/b/c", "there is no folder a/b/c"),
        ("../..x", "there is no folder"),
        ("builtin:minlm", "did you mean 'builtin:minilm'"),
        ("http://host/model", "there is no folder"),
        ("x" * 5000, "cannot be looked up"),
        ("~no-such-user/model", "cannot be looked up"),
    ],
)
def test_bad_names(name, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert expected in refused(name)


def test_a_file_is_not_a_folder(bert):
    assert "is a file" in refused(bert / "model.safetensors")


def test_an_unknown_hub_name_offline(tmp_path):
    script = "from fuzzsmooth.models import load_classifier\nload_classifier('someone/not-cached')"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": "src", "PATH": ""}
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("fuzzsmooth.common.errors.FuzzsmoothError: model 'someone/not-cached' is neither")
    assert "the hub cannot be reached (offline?)" in last


def test_a_cached_hub_model_is_found_offline(originals, tmp_path, monkeypatch):
    import huggingface_hub.constants as hub

    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "models--someone--tiny"
    shutil.copytree(originals["bert"], cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    assert model_folder(resolve_model("someone/tiny")) == cache / "snapshots" / commit
    loaded = load_classifier("someone/tiny")
    assert loaded.fingerprint == load_classifier(str(originals["bert"])).fingerprint


def test_loading_is_silent_and_leaves_transformers_as_it_was(bert, capfd):
    from transformers.utils import logging as hf_logging

    edit_tensors(bert, headless)
    level, bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    load_classifier(str(bert), num_labels=2)
    assert capfd.readouterr() == ("", "")
    assert (hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()) == (level, bars)


def test_half_precision_checkpoints_become_float32(bert):
    expected = load_classifier(str(bert)).probabilities(["good film"])
    edit_tensors(bert, lambda t: {name: tensor.to(torch.bfloat16) for name, tensor in t.items()})
    edit_json(bert / "config.json", dtype="bfloat16")
    loaded = load_classifier(str(bert))
    assert all(parameter.dtype == torch.float32 for parameter in loaded.model.parameters())
    np.testing.assert_allclose(loaded.probabilities(["good film"]), expected, atol=0.05)
