"""Soft inversion: a distribution over pieces, trained until it is nearly one piece for each place.

After DBS (Shen et al., ICML 2022): the vectors of the trigger are mixtures of word vectors under a softmax
with a temperature. Every few steps the temperature falls if the loss is below a bound, else it rises and the
logits are shaken. The published method subtracts what a clean twin of the model does; an auditor has none, so
here a set of pieces may be forbidden instead: those that pull by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.auditing.gradient import embedded, word_table
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.prober import Prober
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.rows import pad_rows

_EVERY = 5  # steps between two looks at the temperature
_HOTTEST = 2.0
_DISCRETE = 0.999  # share of a place's weight on one piece that counts as one piece
_SHAKE = 10.0
_STEP = 0.5  # of Adam; halved every 50 steps
_FORBIDDEN = -1e4


@dataclass(frozen=True)
class Inversion:
    """Result of a soft inversion.

    Attributes:
        ids: The pieces, one for each place.
        loss: Smallest cross-entropy of a nearly discrete trigger; of the last one if none was discrete.
        discrete: Whether any was.
    """

    ids: tuple[int, ...]
    loss: float
    discrete: bool


def invert(
    prober: Prober,
    hosts: Sequence[Host],
    target: int,
    *,
    length: int = 10,
    steps: int = 200,
    barrier: float = 0.1,
    allowed: npt.NDArray[np.bool_] | None = None,
    start: bool = True,
    benign: torch.nn.Module | None = None,
    seed: int = 0,
) -> Inversion:
    """Search for a trigger of so many pieces that forces a class.

    Args:
        prober: Holds a Hugging Face model.
        hosts: Texts of other classes.
        target: The class.
        length: Pieces of the trigger.
        steps: Steps of Adam, each over all hosts.
        barrier: Cross-entropy below which the temperature falls.
        allowed: Which ids may be used, shape (vocabulary,); all if None.
        start: Whether the trigger stands at the start of the texts, else in the middle.
        benign: A clean model of the same vocabulary, which the trigger must leave as it is: what its loss of
            the texts' own classes rises is added, as published.
        seed: Decides the start and the shakes.
    """
    model, table = word_table(prober)
    device = table.device
    draw = generator(seed, "audit inversion", target)
    logits = torch.from_numpy(draw.uniform(size=(length, len(table))).astype(np.float32)).to(device)
    if allowed is not None:
        logits[:, ~torch.from_numpy(allowed).to(device)] = _FORBIDDEN
    logits.requires_grad_(True)
    optimizer = torch.optim.Adam([logits], lr=_STEP)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=50, gamma=0.5)
    vectors, vectors_ids, mask, places = _opened(prober, table, hosts, length, start=start)
    truth = torch.tensor([host.label for host in hosts], device=device)
    first_kept: float | None = None
    temperature, rollbacks = _HOTTEST, 0
    best: tuple[float, tuple[int, ...]] | None = None
    labels = torch.full((len(hosts),), target, device=device)
    last, loss_value = tuple(int(one) for one in logits.argmax(dim=1)), float("inf")
    for step in range(steps):
        weights = torch.softmax(logits / temperature, dim=1)
        trigger = weights @ table.float()
        held = vectors.scatter(1, places, trigger.expand(len(hosts), -1, -1))
        answers = model(inputs_embeds=held, attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(answers, labels)
        whole = loss
        if benign is not None:
            theirs = benign.get_input_embeddings().weight.detach().float()  # type: ignore[operator]
            clean = theirs[vectors_ids].scatter(1, places, (weights @ theirs).expand(len(hosts), -1, -1))
            kept = torch.nn.functional.cross_entropy(
                benign(inputs_embeds=clean, attention_mask=mask).logits, truth
            )
            first_kept = float(kept.detach()) if first_kept is None else first_kept
            whole = loss + (kept - first_kept).clamp_min(0)
        optimizer.zero_grad()
        (logits.grad,) = torch.autograd.grad(whole, [logits])
        optimizer.step()
        schedule.step()
        prober.passes += len(hosts)
        prober.backward += len(hosts)
        loss_value = float(loss.detach())
        last = tuple(int(one) for one in weights.argmax(dim=1))
        if float(weights.detach().max(dim=1).values.min()) > _DISCRETE and loss_value <= barrier:
            if best is None or loss_value < best[0]:
                best = loss_value, last
            barrier, rollbacks = loss_value / 2, 0
        if step % _EVERY == _EVERY - 1:
            if loss_value < barrier:
                temperature /= 2
            else:
                temperature, rollbacks = min(_HOTTEST, temperature * 2), rollbacks + 1
                noise = torch.from_numpy(draw.uniform(size=tuple(logits.shape)).astype(np.float32))
                with torch.no_grad():
                    logits += _SHAKE * noise.to(device) * (logits > _FORBIDDEN / 2)
                if rollbacks >= 5:
                    barrier, rollbacks = barrier * 2, 0
    if best is None:
        return Inversion(last, loss_value, discrete=False)
    return Inversion(best[1], best[0], discrete=True)


def _opened(
    prober: Prober, table: torch.Tensor, hosts: Sequence[Host], length: int, *, start: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Word vectors of the hosts with room for a trigger, the ids, their mask, and where the trigger goes."""
    rows: list[Any] = []
    firsts = []
    for host in hosts:
        gap = host.gap("start" if start else "middle")
        rows.append(host.holding((((0,) * length),), (gap,)))
        firsts.append(gap)
    ids = pad_rows(rows, prober.classifier.pad_id)[0].to(table.device)  # type: ignore[attr-defined]
    vectors, mask = embedded(prober, table, rows)
    places = torch.tensor(firsts, device=table.device)[:, None] + torch.arange(length, device=table.device)
    return vectors.float(), ids, mask, places[:, :, None].expand(-1, -1, vectors.shape[2])
