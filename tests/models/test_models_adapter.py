"""LoRA adapters: merged as ``peft`` merges them, their base model found by the rules of any model."""

from __future__ import annotations

import importlib.util
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError
from fuzzsmooth.models import build_tiny, head_labels, load_classifier, quiet_transformers
from fuzzsmooth.models.loading import ModelWarning

WORDS = ["a", "good", "bad", "film", "dull", "that", "is"]
TEXTS = ["a good film", "a bad film that is dull", "", "film film"]
QUERY = "model.layers.0.self_attn.q_proj"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return build_tiny("llama", tmp_path / "base", vocabulary=WORDS)


def handmade(folder: Path, base: str, *, head: int | None = None, **changes: object) -> Path:
    """A rank-2 adapter of one map, written by hand."""
    folder.mkdir()
    draw = torch.Generator().manual_seed(0)
    name = f"base_model.model.{QUERY}"
    tensors = {
        f"{name}.lora_A.weight": torch.randn(2, 32, generator=draw),
        f"{name}.lora_B.weight": torch.randn(32, 2, generator=draw),
    }
    if head is not None:
        tensors["base_model.model.score.weight"] = torch.randn(head, 32, generator=draw)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "base_model_name_or_path": base, "lora_alpha": 8, "r": 2}
    (folder / "adapter_config.json").write_text(json.dumps(config | changes))
    return folder


@pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs the extra 'llm'")
@pytest.mark.parametrize("rslora", [False, True])
def test_an_adapter_answers_as_peft_says(base: Path, tmp_path: Path, rslora: bool) -> None:
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification

    plain = load_classifier(str(base))
    with quiet_transformers():
        model = AutoModelForSequenceClassification.from_pretrained(base)
    model.config.pad_token_id = plain.pad_id
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=3, target_modules=["q_proj", "down_proj"], use_rslora=rslora,
        init_lora_weights=False,
    )  # fmt: skip
    tuned = get_peft_model(model, config).eval()
    with torch.no_grad():
        tuned.base_model.model.score.modules_to_save["default"].weight.mul_(2)
    tuned.save_pretrained(tmp_path / "adapter")
    with pytest.warns(ModelWarning, match="an adapter, merged into"):
        loaded = load_classifier(str(tmp_path / "adapter"))
    found = loaded.logits_of_texts(TEXTS)
    for row, ours in zip(loaded.encode(TEXTS).ids, found, strict=True):
        with torch.inference_mode():
            expected = tuned(input_ids=torch.tensor([row])).logits[0].numpy()
        np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)
    assert abs(found - plain.logits_of_texts(TEXTS)).max() > 0.05
    assert loaded.fingerprint != plain.fingerprint


@pytest.mark.filterwarnings("ignore::fuzzsmooth.models.loading.ModelWarning")
def test_the_law_of_merging_and_a_head_of_its_own(base: Path, tmp_path: Path) -> None:
    adapter = handmade(tmp_path / "adapter", str(base), head=3)
    pair = load_file(adapter / "adapter_model.safetensors")
    down, up = (pair[f"base_model.model.{QUERY}.lora_{side}.weight"].double() for side in "AB")
    before = load_file(base / "model.safetensors")[f"{QUERY}.weight"]
    loaded = load_classifier(str(adapter))
    found = loaded.model.get_submodule(QUERY).weight
    torch.testing.assert_close(found, (before + 4 * (up @ down)).float())
    assert loaded.labels == head_labels(str(adapter)) == ("LABEL_0", "LABEL_1", "LABEL_2")
    loaded.save(tmp_path / "merged")
    again = load_classifier(str(tmp_path / "merged"))
    assert again.fingerprint == loaded.fingerprint


def refused(folder: Path) -> str:
    with pytest.raises(FuzzsmoothError) as caught:
        load_classifier(str(folder))
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_what_cannot_be_merged_is_refused_in_one_sentence(base: Path, tmp_path: Path) -> None:
    def sentence(name: str, **changes: object) -> str:
        return refused(handmade(tmp_path / name, str(base), **changes))

    assert "of type IA3 cannot be read here, only LORA" in sentence("ia3", peft_type="IA3")
    assert "with use_dora cannot be read here; merge it" in sentence("dora", use_dora=True)
    assert "names no base model" in sentence("nobase", base_model_name_or_path=None)
    assert "lora_alpha is no number" in sentence("alpha", lora_alpha="8")
    wide = build_tiny("llama", tmp_path / "wide", vocabulary=WORDS, hidden=48)
    assert "has shape [48, 48] in the base model" in refused(handmade(tmp_path / "other", str(wide)))
    bert = build_tiny("bert", tmp_path / "bert", vocabulary=WORDS)
    assert "which its base model has not" in refused(handmade(tmp_path / "bert-adapter", str(bert)))
    nested = handmade(tmp_path / "nested", str(tmp_path / "wide-adapter"))
    handmade(tmp_path / "wide-adapter", str(wide))
    assert "is an adapter of an adapter" in refused(nested)
    assert "there is no folder ../../nowhere" in sentence("gone", base_model_name_or_path="../../nowhere")


def test_a_pickled_adapter_and_a_base_with_code_are_unsafe(base: Path, tmp_path: Path) -> None:
    adapter = handmade(tmp_path / "adapter", str(base))
    (adapter / "adapter_model.safetensors").unlink()
    assert "no adapter_model.safetensors; fetch the adapter again" in refused(adapter)
    (adapter / "adapter_model.bin").write_bytes(pickle.dumps({}))
    with pytest.raises(UnsafeModelError, match="only a pickle"):
        load_classifier(str(adapter))
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(UnsafeModelError, match="auto_map"):
        load_classifier(str(handmade(tmp_path / "second", str(base))))
