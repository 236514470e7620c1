"""A causal language model that is prompted, as a sequence classifier of the user's text.

The score of a class is the model's logit of the first token of its word where the answer begins; softmax over
the classes is then the likelihood of each word among them. That is a sequence classifier whose head has the
rows of these tokens, evaluated with the template around each text. So it is one: it is saved, loaded,
fine-tuned and noised as any other, and token ids, batches and certificates are about the text alone.

Keys and values of what stands before the text do not depend on the text. Without noise they are computed once
and shared by all sequences (:func:`prefix_states`). Under parameter noise each draw has other weights, hence
other keys and values, and the whole sequence is evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.building import build_language_model, build_model
from fuzzsmooth.models.checkpoint import Tensors
from fuzzsmooth.models.prompt import KEY, PromptOptions, PromptTokens, prompt_tokens, text_tokenizer

_SCALES = ("logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier_scale")
_MOST = 1_000_000  # tokens of a saved prompt: more than any model reads
_TOLERANCE = 1e-3  # of the largest logit
_PROBE = "a good film"

PrefixStates = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, each of shape (1, heads, tokens, width of a head)."""


def is_prompted(model: Any) -> bool:
    """Whether a model puts a prompt around each text, be it of no tokens (see :func:`shift_scores`)."""
    return isinstance(model, _Prompted)


class _Prompted:
    """What makes a sequence classifier of transformers a prompted one; mixed into its class."""

    config: Any
    base_model: Any
    score: Any

    @property
    def prompt(self) -> PromptTokens:
        """The prompt."""
        saved = getattr(self.config, KEY)
        return PromptTokens(tuple(saved["before"]), tuple(saved["after"]))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **options: Any) -> Any:
        """As of any sequence classifier; the ids are those of texts, padded on the right."""
        from transformers.modeling_outputs import SequenceClassifierOutputWithPast

        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        ids, whole = around(self, input_ids, mask)
        output = self.base_model(input_ids=ids, attention_mask=whole, use_cache=False, **options)
        last = whole.sum(dim=1) - 1
        logits = self.class_scores(output.last_hidden_state, last)
        return SequenceClassifierOutputWithPast(
            logits=logits, hidden_states=output.hidden_states, attentions=output.attentions
        )

    def class_scores(self, states: Tensor, last: Tensor) -> Tensor:
        """Scores from the state of each sequence's last token, shape (rows, classes)."""
        read = states[torch.arange(len(states), device=states.device), last.to(states.device)]
        scores: Tensor = self.score(read)
        cap = getattr(self.config.get_text_config(), "final_logit_softcapping", None)
        if cap:
            scores = torch.tanh(scores / cap) * cap
        return scores - scores.new_tensor(getattr(self.config, KEY)["offsets"])


def around(model: Any, ids: Tensor, mask: Tensor, *, prefix: bool = True) -> tuple[Tensor, Tensor]:
    """Token ids and mask with the prompt around each text; as they are if the model has none.

    Args:
        model: The model.
        ids: Token ids of texts, shape (rows, length), padded on the right.
        mask: 1 at tokens, 0 at padding; the same shape.
        prefix: Whether the ids get what stands before the text; the mask always has it.

    Returns:
        Ids of shape (rows, length + prompt), on the device of ``ids``, and a mask for all of it.
    """
    if not is_prompted(model):
        return ids, mask
    prompt: PromptTokens = model.prompt
    rows, length = ids.shape
    device, after = ids.device, len(prompt.after)
    mask = mask.to(device)
    lengths = mask.sum(dim=1, keepdim=True)
    wide = torch.cat([ids, ids.new_zeros(rows, after)], dim=1)
    places = lengths + torch.arange(after, device=device)
    wide.scatter_(1, places, ids.new_tensor(prompt.after).expand(rows, after))
    seen = (torch.arange(length + after, device=device) < lengths + after).to(mask.dtype)
    before = ids.new_tensor(prompt.before).expand(rows, len(prompt.before))
    whole = torch.cat([mask.new_ones(rows, len(prompt.before)), seen], dim=1)
    return (torch.cat([before, wide], dim=1) if prefix else wide), whole


def prefix_states(model: Any) -> PrefixStates:
    """Keys and values of what stands before every text; empty where nothing does."""
    prompt: PromptTokens = model.prompt
    if not prompt.before:
        return []
    ids = torch.tensor([prompt.before], device=next(model.parameters()).device)
    kept = model.base_model(input_ids=ids, use_cache=True).past_key_values
    return [(layer.keys, layer.values) for layer in kept.layers]


def shared_logits(model: Any, prefix: PrefixStates, ids: Tensor, mask: Tensor) -> Tensor:
    """Logits of texts from the shared keys and values of what stands before them.

    Args:
        model: A prompted model.
        prefix: Of this model, in its number type and on its device.
        ids: Token ids of texts, on that device, shape (rows, length).
        mask: 1 at tokens, 0 at padding.

    Returns:
        Shape (rows, classes).
    """
    from transformers import DynamicCache

    mask = mask.to(ids.device, non_blocking=True)
    wide, whole = around(model, ids, mask, prefix=False)
    rows, length = wide.shape
    known = DynamicCache()
    for number, (keys, values) in enumerate(prefix):
        known.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), number)
    start = whole.shape[1] - length
    places = torch.arange(start, start + length, device=ids.device).expand(rows, -1)
    output = model.base_model(
        input_ids=wide, attention_mask=whole, position_ids=places, past_key_values=known, use_cache=True
    )
    scores: Tensor = model.class_scores(output.last_hidden_state, whole.sum(dim=1) - 1 - start)
    return scores


@dataclass(frozen=True)
class PromptedModel:
    """A prompted model with the tokenizer of its texts.

    Attributes:
        model: The model.
        tokenizer: The tokenizer.
    """

    model: Any
    tokenizer: Any


def prompt_model(
    options: PromptOptions, config: Any, tensors: Tensors, tokenizer: Any, name: str
) -> PromptedModel:
    """A causal language model as a prompted classifier.

    Args:
        options: The prompt.
        config: The configuration of the causal language model, checked.
        tensors: Its weights.
        tokenizer: Its tokenizer.
        name: Its name, for sentences.

    Raises:
        FuzzsmoothError: If it is no causal language model, one whose answers are no linear map of its last
            state, or its tokenizer does not fit the prompt.
    """
    text = config.get_text_config()
    scaled = [key for key in _SCALES if getattr(text, key, None) not in (None, 1, 1.0)]
    require(not scaled, f"{name} scales its outputs ({', '.join(scaled)}), which a prompt cannot use yet")
    language = build_language_model(config, tensors, name)
    tokens, spaced = prompt_tokens(options, tokenizer, name)
    own = text_tokenizer(tokenizer, tokens, language, spaced=spaced)
    head, answers = language.get_output_embeddings(), list(tokens.answers)
    rows = head.weight.detach()[answers].clone()
    bias = getattr(head, "bias", None)
    offsets = [0.0] * len(answers) if bias is None else (-bias.detach()[answers]).tolist()
    probe = own([_PROBE], add_special_tokens=False)["input_ids"][0]
    expected = _next_token_logits(language, [*tokens.before, *probe, *tokens.after])[answers]
    del language
    config.num_labels = len(answers)
    model, _ = build_model(config, tensors, name, fresh_head=True, seed=0)
    score = getattr(model, "score", None)
    fits = isinstance(score, torch.nn.Linear) and score.weight.shape == rows.shape and score.bias is None
    require(fits, f"{name}: {type(model).__name__} has no plain head, which a prompt needs")
    with torch.no_grad():
        model.score.weight.copy_(rows)
    saved = {"before": list(tokens.before), "after": list(tokens.after), "offsets": offsets}
    setattr(model.config, KEY, {"template": options.template, "words": list(options.words), **saved})
    model = with_prompt(model, name)
    with torch.inference_mode():
        found = model.eval()(input_ids=torch.tensor([probe])).logits[0]
    same = bool((found - expected).abs().max() <= _TOLERANCE * max(1.0, float(expected.abs().max())))
    require(same, f"{name}: its answers cannot be read from its last state, so it cannot be prompted here")
    return PromptedModel(model, own)


@torch.inference_mode()
def _next_token_logits(language: Any, ids: list[int]) -> Tensor:
    logits: Tensor = language.eval()(input_ids=torch.tensor([ids])).logits[0, -1]
    return logits.clone()


def has_prompt(config: Any) -> bool:
    """Whether a saved classifier is prompted, as its configuration tells."""
    return getattr(config, KEY, None) is not None


def with_prompt(model: Any, name: str) -> Any:
    """A sequence classifier that puts the prompt of its configuration around each text; changed in place.

    Raises:
        FuzzsmoothError: If what its configuration says is no prompt.
    """
    saved = getattr(model.config, KEY)
    vocabulary = int(model.get_input_embeddings().num_embeddings)
    parts = [saved.get(part) for part in ("before", "after")] if isinstance(saved, dict) else [None]
    sound = all(
        isinstance(part, list)
        and len(part) < _MOST
        and all(isinstance(one, int) and 0 <= one < vocabulary for one in part)
        for part in parts
    )
    offsets = saved.get("offsets") if sound else None
    sound = (
        isinstance(offsets, list)
        and len(offsets) == model.config.num_labels
        and all(isinstance(one, int | float) for one in offsets)
        and bool(parts[1]) >= bool(parts[0])
    )
    if not sound or not isinstance(getattr(model, "score", None), torch.nn.Linear):
        raise FuzzsmoothError(
            f"{short_name(name)}: config.json has a {KEY} that is none; make the prompted model again"
        )
    model.__class__ = _prompted_class(type(model))
    return model


def divide_out(model: Any, answers: Tensor) -> None:
    """Divide out what a prompted model answers without content: p becomes p / p_cf, normalized anew.

    Zhao et al. (ICML 2021, arXiv 2102.09690), with W = diag(p_cf)^-1 and b = 0.

    Args:
        model: A prompted model.
        answers: Probabilities of the classes on content-free texts, shape (texts, classes).
    """
    free = answers.double().mean(dim=0).clamp(min=torch.finfo(torch.float32).tiny)
    shift_scores(model, [-value for value in (free / free.sum()).log().tolist()])


def shift_scores(model: Any, shifts: Sequence[float]) -> None:
    """Add a constant to the score of each class, as the bias of a head does; decoders have heads without one.

    A model without a prompt gets one of no tokens, which is saved with it as any other.

    Args:
        model: A decoder as a sequence classifier, changed in place.
        shifts: One per class.

    Raises:
        FuzzsmoothError: If its head is none of a decoder.
    """
    empty = {"before": [], "after": [], "offsets": [0.0] * len(shifts)}
    saved = getattr(model.config, KEY, None) or empty
    offsets = [old - shift for old, shift in zip(saved["offsets"], shifts, strict=True)]
    setattr(model.config, KEY, {**saved, "offsets": offsets})
    if not is_prompted(model):
        with_prompt(model, "the model")


_CLASSES: dict[type, type] = {}


def _prompted_class(kind: type) -> type:
    if kind not in _CLASSES:
        # Of the same name, which is what a saved configuration says of the architecture.
        _CLASSES[kind] = type(kind.__name__, (_Prompted, kind), {"__module__": kind.__module__})
    return _CLASSES[kind]
