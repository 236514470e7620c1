"""From a configuration and tensors to a classifier: nothing invented, nothing dropped without a word."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.module import register_module_module_registration_hook

from fuzzsmooth.common.errors import FuzzsmoothError, is_fault
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.models.checkpoint import wrapper_of

_HEAD_ROOM = 50_000_000  # parameters: more than any pooler with head
# Modules of a model: those without parameters are a few for each that has some.
_MODULES, _MODULES_PER_TENSOR = 1000, 20
# Counters, masks and tables that older checkpoints store and newer models compute.
_COMPUTED = re.compile(
    r"(position_ids|token_type_ids|inv_freq|masked_bias|attn\.bias|attention\.bias|relative_position_index"
    r"|position_embeddings(\._?weight)?|embed_positions\.weight|\.version|\._weight|_extra_state)$"
)
_OTHER_TASK = re.compile(r"For(TokenClassification|QuestionAnswering|MultipleChoice|NextSentencePrediction)$")


@contextmanager
def explained(sentence: str) -> Iterator[None]:
    """Turn whatever a hostile or broken file provokes in a library into one sentence.

    Args:
        sentence: What failed; the library's reason follows in parentheses. Our own sentences stay.
    """
    try:
        yield
    except BaseException as error:
        if not is_fault(error) or isinstance(error, torch.OutOfMemoryError):
            raise
        # Its first sentence, shortened to fit into ours.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = short_name(lines[0].split(". ")[0].rstrip("."), 160)
        raise FuzzsmoothError(f"{sentence} ({reason})") from error


def build_model(
    config: Any, tensors: dict[str, torch.Tensor], name: str, *, fresh_head: bool, seed: int
) -> tuple[Any, list[str]]:
    """The classifier that a configuration describes, with the tensors as its weights, in float32.

    Args:
        config: The configuration, of any type that transformers knows.
        tensors: The weights, by name.
        name: The model's name, for sentences.
        fresh_head: Whether a head that the tensors lack is drawn at random.
        seed: Seed of that head.

    Returns:
        The model, and the names of the tensors that it does not use: those of another task.

    Raises:
        FuzzsmoothError: If there is no such classifier, or configuration and tensors do not fit each other.
    """
    from transformers import AutoModelForSequenceClassification

    model, report = _built(AutoModelForSequenceClassification, "classifier", config, tensors, name, seed)
    return model, _check_report(model, report, tensors, name, fresh_head=fresh_head)


def build_language_model(config: Any, tensors: dict[str, torch.Tensor], name: str) -> Any:
    """The causal language model that a configuration describes, with the tensors as its weights.

    Args:
        config: As for :func:`build_model`.
        tensors: As for :func:`build_model`.
        name: The model's name, for sentences.

    Raises:
        FuzzsmoothError: If there is no such model, or configuration and tensors do not fit each other.
    """
    from transformers import AutoModelForCausalLM

    model, report = _built(AutoModelForCausalLM, "causal language model", config, tensors, name, 0)
    for key, found, expected in report["mismatched_keys"]:
        raise FuzzsmoothError(
            f"{name}: the weight {key} has shape {list(found)}, but config.json asks for {list(expected)}"
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise FuzzsmoothError(
            f"{name} is no causal language model: {len(missing)} weights are missing, such as {missing[0]}"
            f"{_wrapped(tensors)}; give one, such as builtin:smollm2"
        )
    unused = sorted(key for key in report["unexpected_keys"] if not _COMPUTED.search(key))
    if unused:
        raise FuzzsmoothError(
            f"{name}: the checkpoint has {len(unused)} weights that {type(model).__name__} does not use, "
            f"such as {short_name(unused[0])}, so it is another model; give a causal language model"
        )
    return model


def build_masked_model(config: Any, tensors: dict[str, torch.Tensor], name: str) -> Any | None:
    """The masked language model that a configuration describes, with the tensors as its weights.

    Args:
        config: As for :func:`build_model`.
        tensors: As for :func:`build_model`.
        name: The model's name, for sentences.

    Returns:
        The model, or None where the tensors hold no such head, or transformers has none of this type.

    Raises:
        FuzzsmoothError: If it cannot be built.
    """
    from transformers import AutoModelForMaskedLM

    if type(config) not in AutoModelForMaskedLM._model_mapping:
        return None
    model, report = _built(AutoModelForMaskedLM, "masked language model", config, tensors, name, 0)
    return None if report["missing_keys"] or report["mismatched_keys"] else model.eval()


def _built(
    auto: Any, kind: str, config: Any, tensors: dict[str, torch.Tensor], name: str, seed: int
) -> tuple[Any, dict[str, Any]]:
    """A model of an automatic class of transformers, and its report on the tensors."""
    from transformers.models.auto.auto_factory import _get_model_class

    known = auto._model_mapping
    if type(config) not in known:
        raise FuzzsmoothError(
            f"{name}: transformers has no {kind} of type '{short_name(str(config.model_type))}'"
        )
    unbuildable = f"{name}: the model cannot be built from its config.json"
    with explained(unbuildable), torch.device("meta"), _few_modules(len(tensors), name):
        architecture = _get_model_class(config, known)
        described = architecture(copy.deepcopy(config)).num_parameters()
    _check_size(described, tensors, name)
    with explained(unbuildable), torch.random.fork_rng(devices=[]):
        # A fresh head is initialized by transformers from PyTorch's global generator.
        torch.manual_seed(derived_seed(seed, "classifier head"))
        model, report = architecture.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    return model, report


@contextmanager
def _few_modules(tensors: int, name: str) -> Iterator[None]:
    """Stop a construction that makes far more modules than there are tensors to fill them."""
    most = _MODULES + _MODULES_PER_TENSOR * tensors
    thread, made = threading.get_ident(), 0

    def count(*_: object) -> None:
        nonlocal made
        made += threading.get_ident() == thread
        if made > most:
            raise FuzzsmoothError(
                f"{name}: config.json describes more than {most:,} modules, but the checkpoint holds "
                f"{tensors:,} tensors; the model is damaged, fetch it again"
            )

    handle = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _check_size(described: int, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Refuse a configuration far larger than its checkpoint before memory is spent on it."""
    stored = sum(tensor.numel() for tensor in tensors.values())
    if described > 2 * stored + _HEAD_ROOM:
        raise FuzzsmoothError(
            f"{name}: config.json describes {described:,} parameters, but the checkpoint holds {stored:,}"
        )


def _check_report(
    model: Any, report: dict[str, Any], tensors: dict[str, torch.Tensor], name: str, *, fresh_head: bool
) -> list[str]:
    """Refuse what transformers would fill with random numbers, and what it would drop; name what is left."""
    body = f"{model.base_model_prefix}."
    for key, found, expected in report["mismatched_keys"]:
        if fresh_head and not key.startswith(body):
            raise FuzzsmoothError(f"{name} has a head already, with {found[0]} classes, not {expected[0]}")
        raise FuzzsmoothError(
            f"{name}: the weight {key} has shape {list(found)}, but config.json asks for {list(expected)}"
        )
    missing = sorted(report["missing_keys"])
    # A pooler counts as part of the head: encoders trained without a sentence task come without one.
    lost = [key for key in missing if key.startswith(body) and "pooler" not in key]
    if lost:
        raise FuzzsmoothError(
            f"{name}: {len(lost)} weights are missing from the checkpoint, such as {lost[0]}"
            f"{_wrapped(tensors)}"
        )
    unused = sorted(key for key in report["unexpected_keys"] if not _COMPUTED.search(key))
    _check_unused(model, unused, name, fresh_head=fresh_head)
    if missing and not fresh_head:
        raise FuzzsmoothError(
            f"{name} has no classifier head (no {missing[0]}); fine-tune it first, or give num_labels "
            "for a fresh head"
        )
    _check_task(model, name, fresh_head=fresh_head)
    return [key for key in unused if "pooler" not in key]


def _wrapped(tensors: dict[str, torch.Tensor]) -> str:
    prefix = wrapper_of(tensors)
    return "" if prefix is None else f"; some names hold '{prefix}', so save the model without its wrapper"


def _check_unused(model: Any, unused: list[str], name: str, *, fresh_head: bool) -> None:
    """Refuse a checkpoint of which a part of the classifier itself would be dropped."""
    body = f"{model.base_model_prefix}."
    kind = type(model).__name__
    of_body = [key for key in unused if _is_of_body(key, body) and "pooler" not in key]
    if of_body:
        raise FuzzsmoothError(
            f"{name}: the checkpoint has {len(of_body)} weights that {kind} with this config.json does not "
            f"use, such as {short_name(of_body[0])}, so it is another model; fetch it again"
        )
    heads = {key.split(".")[0] for key, _ in model.named_parameters() if not key.startswith(body)}
    of_head = [key for key in unused if key.split(".")[0] in heads]
    if of_head and not fresh_head:
        raise FuzzsmoothError(
            f"{name}: its head is not that of {kind} (it has {short_name(of_head[0])}), but of another task "
            "or made by hand; save the model with a head of that class"
        )


def _is_of_body(key: str, body: str) -> bool:
    """Whether a weight belongs to the encoder, also where the encoder was saved by itself."""
    return (
        key.startswith(body) or re.match(r"(encoder\.|decoder\.)?(layers?|h|blocks?)\.\d+\.", key) is not None
    )


def _check_task(model: Any, name: str, *, fresh_head: bool) -> None:
    """Some heads of other tasks have the very tensors of a classifier."""
    made_as = model.config.architectures if not fresh_head else None
    declared = [str(kind) for kind in made_as] if isinstance(made_as, list) else []
    if declared and all(_OTHER_TASK.search(kind) for kind in declared):
        raise FuzzsmoothError(
            f"{name} was made for another task ({short_name(declared[0])}), so its head does not classify "
            "texts; fine-tune it first"
        )
