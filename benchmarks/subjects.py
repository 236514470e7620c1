"""What is measured: a classifier whose votes look like those of a trained one, and texts."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import Splits, load_splits
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier, pad_rows

HEAD_TEXTS = 1200  # training texts that the head is fitted on


def splits(source: str | None) -> Splits:
    """SST-2 where the real data sets are (folder FUZZSMOOTH_DATA), else the built-in reviews."""
    folder = Path(os.environ.get("FUZZSMOOTH_DATA", "")) / "sst2"
    if source is None:
        source = str(folder) if os.environ.get("FUZZSMOOTH_DATA") and folder.is_dir() else "builtin:reviews"
    return load_splits(source)


def fitted_minilm(data: Splits, rate: float, precision: str = "float32") -> HuggingFaceClassifier:
    """MiniLM-L6 with a logistic regression, on its pooled output, of training texts deleted at ``rate``.

    How long certification takes depends on how sure the votes are, so an untrained head will not do. The
    fitted one is weaker than a fine-tuned model (its accuracy is reported): fewer texts are unanimous.
    """
    classifier = load_classifier("builtin:minilm", num_labels=len(data.train.labels), precision=precision)
    rng = generator(0, "benchmark head")
    chosen = data.train.sample(HEAD_TEXTS, rng)
    texts = [" ".join(np.array(text.split())[rng.random(len(text.split())) >= rate]) for text in chosen.texts]
    features = _pooled(classifier, texts)
    targets = torch.tensor(chosen.targets)
    head = classifier.model.classifier
    torch.manual_seed(0)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(head(features), targets) + 1e-3 * head.weight.square().sum()
        value.backward()
        return value

    head.requires_grad_(True)
    optimizer.step(loss)
    classifier.refresh()
    return classifier


@torch.no_grad()
def _pooled(classifier: HuggingFaceClassifier, texts: list[str]) -> torch.Tensor:
    rows = classifier.encode(texts).ids
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    result = torch.empty(len(rows), classifier.model.config.hidden_size)
    for start in range(0, len(order), 64):
        chosen = order[start : start + 64]
        ids, mask = pad_rows([rows[index] for index in chosen], classifier.pad_id)
        result[chosen] = classifier.model.base_model(input_ids=ids, attention_mask=mask).pooler_output
    return result
