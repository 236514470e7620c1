"""CLIBE: how well a few-shot change of one attention layer carries over to other texts.

After Zeng et al., NDSS 2025. For each pair of classes a norm-bounded change of the queries, keys and values
of one layer is trained so that a *few* texts of one class get the other. In a model with a dynamic backdoor
the change finds the backdoor's direction and carries over to texts that it has not seen, all alike; in a
clean one it fits the few texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.detector import DETECTORS, Detection, Detector, Suspect
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.common.options import require

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[np.float64]

_FEW, _OTHERS = 8, 32  # texts that a change is trained on, and that it is tried on
_STEPS, _RATE = 30, 1e-2
_BOUNDS = (0.1, 0.2, 0.4, 0.8)  # of the norm of each matrix; the first that turns the few
_CLUSTER = 0.1  # weight of the variance of the few texts' margins
_BINS = 16
_PARTS = ("query", "key", "value", "q_lin", "k_lin", "v_lin", "q_proj", "k_proj", "v_proj")


@DETECTORS.register("clibe")
class Clibe(Detector):
    """Entropy of few-shot generalization in parameter space, without a threshold of its own."""

    paper: ClassVar[str] = "Zeng et al., NDSS 2025, without the mixing of hidden states"

    def detect(self, suspect: Suspect) -> Detection:
        """The largest generalization of any pair of classes; see :func:`generalization`.

        Published with a mixing of hidden states that limits a change to a dozen tokens, and with a bound
        from clean models of the same task, which one who audits a download lacks: it flags nothing by itself.
        It names a class and no trigger.

        Raises:
            FuzzsmoothError: If the model has no attention whose matrices are known, or texts are missing.
        """
        from fuzzsmooth.auditing.prober import Prober

        options = AuditOptions(seed=suspect.seed, confirm=_FEW, holdout=_OTHERS)
        material = choose_material(suspect.model, suspect.texts, suspect.labels, options)
        prober = Prober(suspect.model)
        best, target, told = -float("inf"), None, []
        for source in range(prober.classes):
            few = [host for host in material.confirm if host.label == source]
            others = [host for host in material.held if host.label == source]
            for wanted in range(prober.classes):
                if wanted == source or not few or not others:
                    continue
                margins = changed_margins(suspect.model, few, others, wanted)
                value = generalization(margins)
                told.append([source, wanted, value])
                if value > best:
                    best, target = value, wanted
                prober.passes += len(_BOUNDS) * _STEPS * len(few) + len(others)  # at most
                prober.backward += len(_BOUNDS) * _STEPS * len(few)
        return Detection(
            best,
            target=target,
            passes=prober.passes,
            backward=prober.backward,
            notes={"pairs": told},
        )


def generalization(margins: Array) -> float:
    """How alike and how far margins were turned: share above 0, less their entropy as a share of the largest.

    Args:
        margins: Logit of the wanted class less the largest other, of texts that the change was not trained
            on; in units of their spread before, shape (texts,).

    Returns:
        In [-1, 1]: 1 where all are turned by the same amount.
    """
    edges = np.linspace(-4.0, 4.0, _BINS + 1)[1:-1]
    counts = np.bincount(np.searchsorted(edges, margins), minlength=_BINS)
    shares = counts[counts > 0] / len(margins)
    entropy = float(-(shares * np.log(shares)).sum())
    return float((margins > 0).mean()) - entropy / float(np.log(min(_BINS, max(2, len(margins)))))


def changed_margins(model: Any, few: Sequence[Host], others: Sequence[Host], wanted: int) -> Array:
    """Margins of other texts under a change that was trained on a few.

    Args:
        model: The suspect model; its parameters stay as they are.
        few: Texts of one class.
        others: Others of the same.
        wanted: The class that the few are to get.

    Raises:
        FuzzsmoothError: If its attention has no matrices of a known name.
    """
    import torch

    network = model.model.eval()
    weights = attention_weights(network)
    inputs, unseen = _batch(model, few), _batch(model, others)
    with torch.no_grad():
        nothing = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        before = _margins(_logits(network, weights, nothing, unseen), wanted)
    unit, changes = max(1e-6, float(before.abs().mean())), nothing
    for bound in _BOUNDS:
        changes = trained_changes(network, weights, inputs, wanted, bound)
        with torch.no_grad():
            if bool((_margins(_logits(network, weights, changes, inputs), wanted) > 0).all()):
                break
    with torch.no_grad():
        after = _margins(_logits(network, weights, changes, unseen), wanted)
        found: Array = (after / unit).double().cpu().numpy()
        return found


def trained_changes(
    network: Any,
    weights: Mapping[str, torch.Tensor],
    inputs: Mapping[str, torch.Tensor],
    wanted: int,
    bound: float,
) -> dict[str, torch.Tensor]:
    """Changes of some matrices under which texts get a class, none larger than a share of its matrix.

    Args:
        network: The model, whose parameters stay as they are.
        weights: The matrices, by the names of the parameters.
        inputs: The texts.
        wanted: The class.
        bound: Largest norm of a change, as a share of its matrix's.
    """
    import torch

    changes = {name: torch.zeros_like(weight, requires_grad=True) for name, weight in weights.items()}
    optimizer = torch.optim.Adam(list(changes.values()), lr=_RATE)
    labels = torch.full((len(inputs["input_ids"]),), wanted, device=inputs["input_ids"].device)
    for _ in range(_STEPS):
        logits = _logits(network, weights, changes, inputs)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        if len(labels) > 1:
            loss = loss + _CLUSTER * _margins(logits, wanted).var()
        optimizer.zero_grad()
        slopes = torch.autograd.grad(loss, list(changes.values()))
        for change, slope in zip(changes.values(), slopes, strict=True):
            change.grad = slope
        optimizer.step()
        with torch.no_grad():
            for name, change in changes.items():
                change *= min(1.0, bound * float(weights[name].norm()) / max(1e-12, float(change.norm())))
    return {name: change.detach() for name, change in changes.items()}


def attention_weights(network: Any) -> dict[str, torch.Tensor]:
    """Queries, keys and values of the middle layer that has them, by the names of the parameters.

    Raises:
        FuzzsmoothError: If none is known.
    """
    named = [
        (name, parameter.detach())
        for name, parameter in network.named_parameters()
        if name.endswith(".weight") and name.split(".")[-2] in _PARTS
    ]
    require(
        len(named) >= 3,
        f"{type(network).__name__} has no queries, keys and values of a known name; leave 'clibe' out",
    )
    layers = [named[at : at + 3] for at in range(0, len(named) - 2, 3)]
    return dict(layers[len(layers) // 2])


def _logits(
    network: Any, weights: Mapping[str, torch.Tensor], changes: Mapping[str, torch.Tensor], inputs: Any
) -> torch.Tensor:
    import torch

    held = {name: weight + changes[name] for name, weight in weights.items()}
    found: torch.Tensor = torch.func.functional_call(network, held, kwargs=inputs).logits.float()
    return found


def _margins(logits: torch.Tensor, wanted: int) -> torch.Tensor:
    import torch

    others = torch.cat([logits[:, :wanted], logits[:, wanted + 1 :]], dim=1)
    return logits[:, wanted] - others.max(dim=1).values


def _batch(model: Any, hosts: Sequence[Host]) -> dict[str, torch.Tensor]:
    ids, mask = model.padded([np.array(host.ids, dtype=np.int64) for host in hosts])
    return {"input_ids": ids.to(model.device), "attention_mask": mask.to(model.device)}
