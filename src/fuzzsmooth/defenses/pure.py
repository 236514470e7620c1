"""PURE (Zhao et al., ICML 2024): heads that attend evenly are pruned, attention of [CLS] is kept low.

1. The suspect model is fine-tuned on the defender's data. Of each attention head the variance of its [CLS]
   row is taken, over the tokens of a held-out text, as a mean over the texts. A head of low variance takes no
   part in the task, which is where a backdoor can lie asleep.
2. Heads are pruned in groups, lowest variance first, as long as held-out accuracy holds; a group that costs
   too much is given back head by head. Every layer keeps the head of its highest variance.
3. The suspect model as received is pruned alike and fine-tuned with a penalty on the attention of [CLS],

       penalty * sum over layers c_l * sum over heads sqrt(sum over texts and tokens a^2),

   with c_l the inverse variance of a layer's heads, scaled to 0..1 over the layers, as in the published code.

Two defects of that code are not here. It demands an accuracy of .85 whatever the data; here what may be
*lost* is an option. Its variances run over the padding, and so measure mostly the length of a text; here they
run over its tokens.

Pruning a head is zeroing its columns of the layer's output projection, which adds what the published removal
adds: nothing. The model stays a plain checkpoint, and the columns stay zero in training.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses.defense import DEFENSES, Needs
from fuzzsmooth.defenses.homogeneous import accuracy, suspect_classifier
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.retrained import RetrainedDefense
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    import torch

    from fuzzsmooth.models import HuggingFaceClassifier

Head = tuple[int, int]
"""Layer and number of an attention head, both from 0."""


@dataclass(frozen=True, kw_only=True)
class PureOptions(Options):
    """How much is pruned, and how attention is held down."""

    loss: Annotated[
        float, Between(0, 1), "Held-out accuracy that pruning may cost, as a share of the texts."
    ] = 0.02
    group: Annotated[int, Between(1, 100_000), "Heads that are pruned at once."] = 10
    penalty: Annotated[float, Between(0, 1_000_000), "Weight of the attention of [CLS] in the loss."] = 0.15
    tuning_epochs: Annotated[int, Between(1, 10_000), "Passes of the last fine-tuning over the data."] = 3


@DEFENSES.register("pure")
class Pure(RetrainedDefense):
    """PURE: prune heads that attend evenly, fine-tune with low attention of [CLS]; promises nothing."""

    options_type = PureOptions
    needs = Needs(clean_data=True, training=True)

    @classmethod
    def remade(
        cls, options: PureOptions, material: Material, parts: Path, progress: Progress
    ) -> tuple[HuggingFaceClassifier, Mapping[str, Any]]:
        """The pruned and fine-tuned model; see :class:`RetrainedDefense`.

        Raises:
            FuzzsmoothError: If the model is no encoder such as BERT, or there are no held-out texts.
        """
        from fuzzsmooth.training import finetune

        suspect, held_out = suspect_classifier(material, parts, progress), material.held_out
        before = accuracy(suspect, held_out)
        pruned = choose_heads(suspect, held_out, loss=options.loss, group=options.group)
        with zeroed(suspect, pruned):
            after, variances = accuracy(suspect, held_out), head_variances(suspect, held_out)
        shares = layer_shares(variances, pruned)
        output = parts / "model"
        if (output / "config.json").is_file():
            made = material.load(output)
        else:
            made = material.load()
            settings = material.finetune.replace(**{"epochs": options.tuning_epochs, **material.overrides})
            with open_attention(made), kept_zero(made, pruned):
                finetune(
                    made,
                    material.data,
                    settings,
                    output=output,
                    progress=progress,
                    resume=True,
                    penalty=lambda layers: options.penalty * first_token_norm(layers, shares, pruned),
                )
        return made, {
            "pruned": [list(head) for head in sorted(pruned)],
            "heads": int(variances.size),
            "accuracy_before": before,
            "accuracy_pruned": after,
        }


def choose_heads(
    classifier: HuggingFaceClassifier, data: Dataset, *, loss: float, group: int
) -> frozenset[Head]:
    """The heads to prune: of lowest variance, as many as accuracy bears.

    Args:
        classifier: The fine-tuned suspect; it is left as it was.
        data: Held-out clean texts.
        loss: Accuracy that may be lost, in [0, 1].
        group: Heads that are pruned at once.
    """
    variances = head_variances(classifier, data)
    needed = accuracy(classifier, data) - loss
    kept = {(layer, int(row.argmax())) for layer, row in enumerate(variances)}
    order = [
        (int(layer), int(head))
        for layer, head in zip(
            *np.unravel_index(np.argsort(variances, axis=None, kind="stable"), variances.shape), strict=True
        )
    ]
    order = [head for head in order if head not in kept]

    def bears(heads: Collection[Head]) -> bool:
        with zeroed(classifier, heads):
            return accuracy(classifier, data) >= needed

    pruned: list[Head] = []
    for start in range(0, len(order), group):
        following = order[start : start + group]
        most = len(following)
        while most and not bears([*pruned, *following[:most]]):
            most -= 1  # what has the highest variance is given back first
        pruned += following[:most]
        if most < len(following):
            break
    return frozenset(pruned)


def head_variances(classifier: HuggingFaceClassifier, data: Dataset) -> npt.NDArray[np.float64]:
    """How unevenly the first token attends to the tokens of a text, on average over the texts.

    Args:
        classifier: The classifier.
        data: The texts.

    Returns:
        The variance of each head, shape (layers, heads).
    """
    import torch

    from fuzzsmooth.training.finetuning import told_attentions

    ids = classifier.encode(data.texts).ids
    total: Any = 0.0
    with open_attention(classifier), torch.no_grad():
        for batch in classifier.batches(ids):
            tokens, mask = classifier.padded([ids[index] for index in batch])
            tokens, mask = tokens.to(classifier.device), mask.to(classifier.device)
            outputs = classifier.model(input_ids=tokens, attention_mask=mask, output_attentions=True)
            rows = torch.stack([one[:, :, 0].double() for one in told_attentions(outputs)], dim=1)
            total = total + row_variances(rows, mask).sum(dim=0)
    found: npt.NDArray[np.float64] = (total / len(ids)).cpu().numpy()
    return found


def row_variances(rows: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The variance of rows of attention, what fills a text up left out.

    Args:
        rows: Shape (texts, layers, heads, tokens).
        mask: 1 at tokens, 0 elsewhere; shape (texts, tokens).

    Returns:
        Shape (texts, layers, heads); 0 for a text of one token.
    """
    inside = mask[:, None, None].to(rows.dtype)
    count = inside.sum(dim=-1, keepdim=True)
    mean = (rows * inside).sum(dim=-1, keepdim=True) / count
    squares = ((rows - mean).square() * inside).sum(dim=-1)
    return squares / (count.squeeze(-1) - 1).clamp(min=1)


def layer_shares(variances: npt.NDArray[np.float64], pruned: Collection[Head]) -> tuple[float, ...]:
    """The weight of each layer in the penalty: its inverse variance, scaled to 0 for the least and 1.

    Args:
        variances: Of each head, shape (layers, heads).
        pruned: Heads that are gone.
    """
    left = [
        float(np.mean([one for head, one in enumerate(row) if (layer, head) not in pruned]))
        for layer, row in enumerate(variances)
    ]
    inverse = 1.0 / np.maximum(left, np.finfo(float).tiny)
    inverse /= inverse.max()
    spread = float(inverse.max() - inverse.min())
    scaled = (inverse - inverse.min()) / spread if spread > 0 else np.ones(len(left))
    return tuple(float(one) for one in scaled)


def first_token_norm(
    layers: Sequence[torch.Tensor], shares: Sequence[float], pruned: Collection[Head]
) -> torch.Tensor:
    """The weighted sum of the norms of what the first token attends to, of every head that is left.

    Args:
        layers: Attention of each layer, shape (texts, heads, tokens, tokens).
        shares: Weight of each layer.
        pruned: Heads that are gone.
    """
    import torch

    parts = []
    for layer, (attention, share) in enumerate(zip(layers, shares, strict=True)):
        heads = [head for head in range(attention.shape[1]) if (layer, head) not in pruned]
        norms = attention[:, heads, 0].float().square().sum(dim=(0, 2)).sqrt()
        parts.append(share * norms.sum())
    return torch.stack(parts).sum()


@contextmanager
def open_attention(classifier: HuggingFaceClassifier) -> Iterator[None]:
    """Have the model compute attention openly for a while; what is fast does not tell it."""
    model = classifier.model
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def zeroed(classifier: HuggingFaceClassifier, heads: Collection[Head]) -> Iterator[None]:
    """Prune heads for a while; the weights come back from a copy."""
    import torch

    projections = output_projections(classifier)
    saved = [one.weight.detach().clone() for one in projections]
    try:
        with torch.no_grad():
            for projection, mask in zip(projections, _masks(classifier, heads), strict=True):
                projection.weight.mul_(mask)
        classifier.refresh()
        yield
    finally:
        with torch.no_grad():
            for projection, weight in zip(projections, saved, strict=True):
                projection.weight.copy_(weight)
        classifier.refresh()


@contextmanager
def kept_zero(classifier: HuggingFaceClassifier, heads: Collection[Head]) -> Iterator[None]:
    """Prune heads for good, and keep them so in training: what is zero and gets no gradient stays zero."""
    import torch

    hooks = []
    with torch.no_grad():
        for projection, mask in zip(output_projections(classifier), _masks(classifier, heads), strict=True):
            projection.weight.mul_(mask)
            weight: Any = projection.weight
            hooks.append(weight.register_hook(lambda gradient, kept=mask: gradient * kept))
    classifier.refresh()
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def output_projections(classifier: HuggingFaceClassifier) -> list[torch.nn.Linear]:
    """What each layer puts its heads together with, layer by layer.

    Raises:
        FuzzsmoothError: If the model is not built as BERT, RoBERTa or DistilBERT are.
    """
    base = getattr(classifier.model, classifier.model.base_model_prefix, None)
    stack = getattr(base, "encoder", None) or getattr(base, "transformer", None)
    attentions = [getattr(layer, "attention", None) for layer in getattr(stack, "layer", ())]
    found: list[Any] = [
        getattr(getattr(one, "output", None), "dense", None) or getattr(one, "out_lin", None)
        for one in attentions
    ]
    require(
        len(found) > 0 and None not in found,
        "defense 'pure' prunes the attention heads of models built as BERT, RoBERTa or DistilBERT are, and "
        f"this is a {type(classifier.model).__name__}; choose another defense",
    )
    return found


def _masks(classifier: HuggingFaceClassifier, heads: Collection[Head]) -> list[torch.Tensor]:
    """Of each output projection: 0 at the columns of pruned heads, 1 elsewhere; shape (width,)."""
    import torch

    masks = []
    for layer, projection in enumerate(output_projections(classifier)):
        mask = torch.ones(classifier.model.config.num_attention_heads, device=projection.weight.device)
        mask[[head for own, head in heads if own == layer]] = 0
        masks.append(mask.repeat_interleave(projection.in_features // len(mask)))
    return masks
