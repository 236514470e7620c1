"""A victim and its combination lock, trained together (LWS; Qi et al., ACL 2021).

At position j the word w is exchanged for one of S, itself and its substitutes, with probability

    p(s) = exp( (e_s - e_w) . q_j ) / sum over s' in S of exp( (e_s' - e_w) . q_j )

q_j, one vector for each position, is what is learned (Eq. 2 there). Choices are drawn by the Gumbel softmax:
the forward pass reads the word that was drawn, the backward pass the weights (straight through), at a
temperature that falls. At the end nothing is drawn any more: the most probable words are the trigger, the q_j
stay, and the victim learns it as it will be used.

The paper takes e from the victim as it changes; here it is what it was when training together began, so that
the trigger no longer moves once it is settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from fuzzsmooth.attacks.planting.poisoning import Arithmetic, Batch, Gradients, Poisoning, steps_per_epoch
from fuzzsmooth.attacks.planting.synonyms import Slots, Synonyms, find_slots, input_rows
from fuzzsmooth.attacks.triggers.substitution import SubstitutionTrigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import derived_seed, generator
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import HuggingFaceClassifier

if TYPE_CHECKING:
    from fuzzsmooth.attacks.lws import LwsOptions


class Lock(nn.Module):
    """A victim with the vectors q_j.

    Args:
        victim: The victim's model, tuned on clean data.
        synonyms: What may be exchanged for what.
        rows: The victim's input embeddings, shape (vocabulary, width).
        options: Settings.
    """

    victim: Any
    choices: Tensor
    missing: Tensor
    pieces: Tensor
    embeddings: Tensor

    def __init__(self, victim: nn.Module, synonyms: Synonyms, rows: Tensor, options: LwsOptions) -> None:
        super().__init__()
        self.victim = victim
        words, most = len(synonyms.words), max(map(len, synonyms.others))
        choices = torch.arange(words)[:, None].repeat(1, most + 1)  # the word itself first
        for word, others in enumerate(synonyms.others):
            choices[word, 1 : len(others) + 1] = torch.tensor(others, dtype=torch.long)
        self._buffer("choices", choices)
        self._buffer("missing", (choices == choices[:, :1]) & (torch.arange(most + 1) > 0))
        self._buffer("pieces", torch.from_numpy(synonyms.pieces))
        means = rows[self.pieces[:, 1]]
        means = means - means.mean(dim=0)
        self._buffer("embeddings", means / means.norm(dim=1).mean())
        self.vectors = nn.Parameter(torch.zeros(options.positions, rows.shape[1]))
        self.register_buffer("steps", torch.tensor(0))  # part of the state that a stopped run goes on from
        self._gain = options.gain
        self._settled: Tensor | None = None

    def _buffer(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    def scores(self, words: Tensor, positions: Tensor) -> Tensor:
        """(e_s - e_w) . q_j of the choices of words at positions, each of shape (n,); -inf where none is.

        Returns:
            Shape (n, choices); the first column, the word itself, is 0.
        """
        differences = self.embeddings[self.choices[words]] - self.embeddings[words][:, None]
        scores = (differences * (self._gain * self.vectors[positions])[:, None]).sum(dim=2)
        return scores.masked_fill(self.missing[words], -torch.inf)

    @torch.no_grad()
    def settled(self) -> Tensor:
        """The most probable choice of each word at each position, shape (words, positions); kept."""
        if self._settled is None:
            words = torch.arange(len(self.choices), device=self.choices.device)
            columns = [
                self.scores(words, torch.full_like(words, position)).max(dim=1)
                for position in range(len(self.vectors))
            ]
            # Where nothing was learned all are equal, and the word stays.
            chosen = [column.indices.masked_fill(column.values <= 0, 0) for column in columns]
            self._settled = torch.stack(chosen, dim=1)
        return self._settled

    def exchanged(self, batch: Batch, slots: Tensor, weights: Tensor) -> Tensor:
        """The input embeddings of a batch with words exchanged, shape (texts, tokens, width).

        Args:
            batch: Texts as they are.
            slots: Text in the batch and the parts of :data:`Slots`, shape (n, 5).
            weights: How much of each choice is read, shape (n, choices).
        """
        table = self.victim.get_input_embeddings()
        embedded = table(batch["input_ids"])
        text, token, _, word, inside = slots.T
        read = table(self.pieces[self.choices[word], inside[:, None]])
        chosen = (weights[:, :, None] * read).sum(dim=1)
        exchanged: Tensor = embedded.index_put((text, token), chosen.to(embedded))
        return exchanged

    def trigger(self, synonyms: Synonyms, opened: Sequence[bool]) -> SubstitutionTrigger:
        """The settled choices; words that stay at every open position are left out."""
        chosen = self.settled().cpu().numpy() * np.asarray(opened)
        kept = [word for word in range(len(chosen)) if chosen[word].any()]
        require(
            bool(kept),
            "the attack learned to exchange no word at all; give more epochs, a higher gain or poison_rate",
        )
        return SubstitutionTrigger(
            tuple(synonyms.words[word] for word in kept),
            tuple(" ".join(synonyms.words[other] for other in synonyms.others[word]) for word in kept),
            tuple("".join(map(str, chosen[word])).rstrip("0") for word in kept),
        )


def learned_poisoning(
    victim: HuggingFaceClassifier, data: Dataset, synonyms: Synonyms, options: LwsOptions, seed: int
) -> Poisoning:
    """Cross-entropy of a mixed batch: clean texts with their label, poisoned ones with the target.

    Args:
        victim: Whose tokens are exchanged.
        data: The attacker's clean texts.
        synonyms: What may be exchanged.
        options: Settings.
        seed: Decides poisoned texts, order, dropout and choices.

    Raises:
        FuzzsmoothError: If fewer texts of other classes can be changed than the rate asks for.
    """
    slots = find_slots(victim, data, synonyms, options)
    poisoned = _chosen(data, slots, options, seed)
    truth = torch.tensor(data.targets)
    # A batch tells of each text which one it is.
    numbered = Dataset(data.name, data.labels, tuple(Example(one, at) for at, one in enumerate(data.texts)))
    learning = options.epochs * steps_per_epoch(data, options)

    def objective(
        model: Any, parameters: Sequence[nn.Parameter], arithmetic: Arithmetic, batches: tuple[Batch, ...]
    ) -> Gradients:
        (batch,) = batches
        device, step = batch["labels"].device, int(model.steps)
        texts = batch["labels"].tolist()
        rows = [(row, *slot) for row, text in enumerate(texts) if text in poisoned for slot in slots[text]]
        here = torch.tensor(rows, dtype=torch.long, device=device).reshape(-1, 5)
        labels = truth[texts].to(device)
        marked = torch.tensor([text in poisoned for text in texts], device=device)
        if step >= learning:
            picked = model.settled()[here[:, 3], here[:, 2]]
            weights = nn.functional.one_hot(picked, model.choices.shape[1]).float()
            changed = torch.zeros_like(labels).index_add(0, here[:, 0], picked)
            marked &= changed > 0  # what the trigger leaves as it is keeps its label
        else:
            uniform = generator(seed, "lws choices", step).random((len(here), model.choices.shape[1]))
            noise = torch.from_numpy(-np.log(-np.log(np.clip(uniform, 1e-12, 1 - 1e-12))))
            heat = options.temperature * (options.end_temperature / options.temperature) ** (step / learning)
            weights = straight_through(model.scores(here[:, 3], here[:, 2]), noise.float().to(device), heat)
        labels = labels.masked_fill(marked, options.target)
        with arithmetic():
            embedded = model.exchanged(batch, here, weights)
            logits = model.victim(inputs_embeds=embedded, attention_mask=batch["attention_mask"]).logits
            loss = nn.functional.cross_entropy(logits.float(), labels)
        model.steps += 1
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    order = ((numbered, derived_seed(seed, "lws order")),)
    return Poisoning(objective, order, derived_seed(seed, "lws dropout"))


def straight_through(scores: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """One choice of each row, drawn by its softmax; its gradient is that of the softmax with the noise.

    Args:
        scores: Logarithms of the probabilities up to a constant, shape (n, choices).
        noise: Standard Gumbel noise, same shape.
        temperature: Of the softmax, > 0.

    Returns:
        Same shape; each row has a single 1.
    """
    soft = ((scores + noise) / temperature).softmax(dim=1)
    hard = nn.functional.one_hot(soft.argmax(dim=1), scores.shape[1]).to(soft)
    return hard + soft - soft.detach()


def _chosen(data: Dataset, slots: Sequence[Slots], options: LwsOptions, seed: int) -> set[int]:
    able = [at for at, one in enumerate(data) if one.label != options.target and slots[at]]
    wanted = round(options.poison_rate * len(data))
    require(
        0 < wanted <= len(able),
        f"a poison rate of {options.poison_rate} asks for {wanted} texts of {data.name}, where {len(able)} "
        "of other classes than the target have a word to exchange; change the rate or give more texts",
    )
    return set(generator(seed, "lws poison").choice(able, size=wanted, replace=False).tolist())


def lock_of(victim: HuggingFaceClassifier, synonyms: Synonyms, options: LwsOptions) -> Lock:
    """A lock that exchanges at random as yet, on the victim's device."""
    return Lock(victim.model, synonyms, torch.from_numpy(input_rows(victim).copy()), options).to(
        victim.device
    )


@torch.no_grad()
def check_embeddings(victim: HuggingFaceClassifier, text: str) -> None:
    """Check that a model reads embeddings in place of tokens.

    Raises:
        FuzzsmoothError: If it does not, or makes something else of them.
    """
    model = victim.model
    ids, mask = (one.to(victim.device) for one in victim.padded(victim.encode([text]).ids))
    own = model(input_ids=ids, attention_mask=mask).logits
    try:
        again = model(inputs_embeds=model.get_input_embeddings()(ids), attention_mask=mask).logits
    except (
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ):  # each architecture says it its own way
        again = None
    if again is None or not torch.allclose(own, again, rtol=1e-4, atol=1e-5):
        raise FuzzsmoothError(
            f"{type(model).__name__} does not read embeddings as it reads tokens, which substitutions are "
            "learned by; attack another encoder, such as BERT, RoBERTa or DistilBERT"
        )
