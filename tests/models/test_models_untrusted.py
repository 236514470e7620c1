"""What a checkpoint brings with it is never executed and never leads outside its folder."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from broken_models import edit_json, edit_tensors, refused
from safetensors.torch import load_file, save_file

from fuzzsmooth.common.errors import UnsafeModelError
from fuzzsmooth.models import load_classifier


class Payload:
    """Unpickling this would create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


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


def test_an_adapter_beside_a_model_is_refused_and_its_left_over_configuration_is_not(bert):
    (bert / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/model"}')
    assert load_classifier(str(bert)).labels
    (bert / "adapter_model.safetensors").write_bytes(b"x")
    assert "holds an adapter beside a model" in refused(bert)
    (bert / "model.safetensors").unlink()
    (bert / "adapter_model.safetensors").unlink()
    assert "has no model.safetensors; give a folder saved with save_pretrained" in refused(bert)


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
