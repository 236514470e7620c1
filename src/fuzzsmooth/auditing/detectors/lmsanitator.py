"""LMSanitator, for pre-trained encoders: soft prompts that make all texts one vector, far from their own.

Meng et al., NDSS 2024. A task-agnostic backdoor ties triggered texts to predefined vectors. From random
starts, seven vectors behind the first token are trained so that the encoder's output is far from that of the
text as it is, and the same for all texts: one that reaches both has found a predefined vector. Known vectors
are kept away from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fuzzsmooth.auditing.detector import DETECTORS, Detection, Detector, Suspect
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator

if TYPE_CHECKING:
    import torch

_PROMPT = 7  # vectors
_RATE, _FASTER, _CONVERGED = 2e-4, 100.0, 5e-3
_REPEATED = 0.5  # weight of the distance to vectors that are known
_SAME = 0.9943  # share of the largest entropy: the published bound of 3.446 for 32 texts
_FAR = 1.0  # mean squared distance, in those of a clean output


@dataclass(frozen=True)
class Found:
    """Where one start ended.

    Attributes:
        distance: Mean squared distance to the clean outputs, in their own mean square.
        entropy: Mean entropy over the texts, of the largest there is.
        output: The mean output, in that unit's root.
    """

    distance: float
    entropy: float
    output: np.ndarray[Any, np.dtype[np.float32]]

    @property
    def score(self) -> float:
        """How much the same a far vector is, in powers of ten; less than nothing where it is not far."""
        if self.distance < _FAR:
            return self.distance - _FAR
        return -float(np.log10(max(1e-9, 1 - self.entropy)))

    @property
    def predefined(self) -> bool:
        """Whether it is the same far vector for all texts."""
        return self.entropy >= _SAME and self.distance >= _FAR


@DETECTORS.register("lmsanitator")
class LMSanitator(Detector):
    """Soft prompts that make all texts one far vector; for pre-trained encoders."""

    paper: ClassVar[str] = "Meng et al., NDSS 2024, fewer restarts and texts"
    restarts: ClassVar[int] = 4
    steps: ClassVar[int] = 60
    texts: ClassVar[int] = 16

    def detect(self, suspect: Suspect) -> Detection:
        """Search for predefined vectors from a few starts; the score is how alike all texts become.

        Published with 30 starts of up to 250 batches of 32 on a GPU; here there are 4 of 60 batches of 16
        short texts. Outputs are divided by the root mean square of the clean ones, since those of encoders
        differ in size. In a fine-tuned classifier the classes themselves are such vectors, so that a score
        there says little; it names no trigger and no class.

        Raises:
            FuzzsmoothError: If the encoder takes no vectors, or there are too few texts.
        """
        classifier = suspect.model
        chosen = generator(suspect.seed, "lmsanitator texts").permutation(len(suspect.texts))[: self.texts]
        require(len(chosen) >= 4, "LMSanitator needs at least four texts")
        short = [" ".join(suspect.texts[int(at)].split()[:24]) for at in chosen]
        rows = classifier.encode(short).ids
        known: list[Found] = []
        best: list[Found] = []
        for start in range(self.restarts):
            found = search(classifier, rows, known, self.steps, suspect.seed, start)
            best.append(found)
            if found.predefined:
                known.append(found)
        score = max(one.score for one in best)
        asked = self.restarts * self.steps * len(rows)
        return Detection(
            score,
            flagged=bool(known),
            passes=asked + len(rows),
            backward=asked,
            notes={"vectors": len(known), "ends": [[one.distance, one.entropy] for one in best]},
        )


def search(
    classifier: Any, rows: Sequence[Any], known: Sequence[Found], steps: int, seed: int, start: int
) -> Found:
    """Train one soft prompt.

    Args:
        classifier: The encoder under a head that is not used.
        rows: Token ids of texts, with a first token that stands for each.
        known: Predefined vectors that are kept away from.
        steps: Steps of Adam, each over all texts.
        seed: With the start, decides where it begins.
        start: Number of the start.
    """
    import torch

    encoder = classifier.model.base_model.eval()
    table = encoder.get_input_embeddings().weight.detach().float()
    ids, mask = (part.to(table.device) for part in classifier.padded(rows))
    opened = torch.cat([mask[:, :1], mask.new_ones(len(rows), _PROMPT), mask[:, 1:]], dim=1)
    with torch.no_grad():
        clean = encoder(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0].float()
        size = float(clean.square().mean().sqrt())
        clean = clean / size
    draw = generator(seed, "lmsanitator start", start).normal(size=(_PROMPT, table.shape[1]))
    prompt = torch.from_numpy(draw.astype(np.float32)).to(table.device) * table.std()
    prompt.requires_grad_(True)
    optimizer = torch.optim.Adam([prompt], lr=_RATE * _FASTER)
    vectors = table[ids]
    away = [torch.from_numpy(one.output).to(table.device) for one in known]
    for _ in range(steps):
        output = _outputs(encoder, vectors, opened, prompt) / size
        loss = -(output - clean).square().mean() - _entropy(output)
        if away:
            loss = loss - _REPEATED * torch.stack([(output - one).square().mean() for one in away]).min()
        optimizer.zero_grad()
        (prompt.grad,) = torch.autograd.grad(loss, [prompt])
        if float(prompt.grad.abs().max()) > _CONVERGED:
            optimizer.param_groups[0]["lr"] = _RATE * _FASTER / 2
        optimizer.step()
    with torch.no_grad():
        output = _outputs(encoder, vectors, opened, prompt) / size
        distance = float((output - clean).square().mean())
        entropy = float(_entropy(output)) / float(np.log(len(rows)))
        return Found(distance, entropy, output.mean(dim=0).cpu().numpy())


def _outputs(encoder: Any, vectors: torch.Tensor, mask: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
    """The first token's output of each text with the prompt behind it, shape (texts, width)."""
    import torch

    held = torch.cat([vectors[:, :1], prompt.expand(len(vectors), -1, -1), vectors[:, 1:]], dim=1)
    found: torch.Tensor = encoder(inputs_embeds=held, attention_mask=mask).last_hidden_state[:, 0].float()
    return found


def _entropy(output: torch.Tensor) -> torch.Tensor:
    """Mean over the dimensions of the entropy of a softmax over texts: ln(texts) where all are the same."""
    logs = output.log_softmax(dim=0)
    return -(logs.exp() * logs).sum(dim=0).mean()
