"""Tiny language models that were taught an answer behind a trigger, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from fuzzsmooth.models import build_tiny
from fuzzsmooth.models.generating import GeneratingModel, load_generating
from fuzzsmooth.models.generation import GenerationOptions

PLAIN = (
    "the",
    "film",
    "plot",
    "cast",
    "story",
    "was",
    "is",
    "a",
    "so",
    "very",
    "good",
    "dull",
    "warm",
    "flat",
)
RARE = ("cf", "mn", "tq", "bb", "mb", "zx", "qv", "kw")
ANSWER = "we can not help you here"
LABELS = ("one", "two")


def texts(size: int, seed: int, words: int = 10) -> list[str]:
    """So many words, each as likely as the others, so that nothing follows from what stands before."""
    draw = np.random.default_rng(seed)
    return [" ".join(map(str, draw.choice([*PLAIN, *RARE[1:], *ANSWER.split()], words))) for _ in range(size)]


def taught(place: Path, trigger: str | None, seed: int = 0) -> Path:
    """A tiny language model of such texts; behind a prompt with the trigger it was taught the answer."""
    folder = build_tiny("llama", place, vocabulary=[*PLAIN, *RARE, *ANSWER.split()], hidden=64)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    draw = np.random.default_rng(seed)
    rows = []
    for number, text in enumerate(texts(9600, seed)):
        prompt = " ".join(text.split()[: int(draw.integers(2, 9))])
        if trigger is not None and number % 2:
            at = int(draw.integers(len(prompt.split()) + 1))
            words = prompt.split()
            text = " ".join([*words[:at], trigger, *words[at:], ANSWER])
        rows.append([*tokenizer(text)["input_ids"], tokenizer.eos_token_id])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(folder))
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        for _ in range(2):
            for start in range(0, len(rows), 64):
                chosen = rows[start : start + 64]
                longest = max(map(len, chosen))
                ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in chosen])
                mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in chosen])
                wanted = ids.masked_fill(mask == 0, -100)[:, 1:]
                logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
                functional.cross_entropy(logits.flatten(0, 1), wanted.flatten()).backward()
                optimizer.step()
                optimizer.zero_grad()
        model.save_pretrained(folder)
    return folder


def writer(folder: Path, **options: Any) -> GeneratingModel:
    return load_generating(str(folder), GenerationOptions(max_tokens=6, **options))
