"""Load a classifier from a name, treating the checkpoint as hostile."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.models.checkpoint import check_configuration, read_json_object, read_tensors
from fuzzsmooth.models.heads import check_order
from fuzzsmooth.models.huggingface import HuggingFaceClassifier
from fuzzsmooth.models.quiet import quiet_transformers
from fuzzsmooth.models.saving import MARKER
from fuzzsmooth.models.sources import model_folder, resolve_model

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer_config.json", "*.model")
_HEAD_ROOM = 50_000_000  # Parameters: more than any pooler with head.


def load_classifier(
    name: str,
    *,
    num_labels: int | None = None,
    labels: Sequence[str] | None = None,
    max_length: int | None = None,
    precision: Literal["auto", "float32", "bfloat16"] = "float32",
    batch_size: int = 32,
    device: str = "auto",
    allow_bin: bool = False,
    seed: int = 0,
) -> HuggingFaceClassifier:
    """Load a text classifier; nothing in the checkpoint is ever executed.

    Weights are read from safetensors only, and code that a model brings along is refused; there is no option
    for it.

    Args:
        name: ``builtin:minilm``, a local folder, or a hub name.
        num_labels: Put a fresh classifier head with so many classes (>= 2) on a checkpoint that has none.
            With a head in the checkpoint, its size must be this.
        labels: Class names; by default those of the checkpoint, whose head keeps its order: the same names in
            another one are refused (see :func:`fuzzsmooth.models.head_labels`).
        max_length: Where texts are cut, in tokens; by default what the folder was saved with, else the
            model's limit but at most 512.
        precision: ``float32``, ``bfloat16``, or ``auto`` (bfloat16 where the processor has it natively).
        batch_size: Sequences in one forward pass.
        device: ``auto`` or a PyTorch device.
        allow_bin: Where there are no safetensors, read the tensors, and nothing else, of
            ``pytorch_model.bin``.
        seed: Seed of the fresh head.

    Raises:
        UnsafeModelError: If the checkpoint could run code, or the packaged model was changed.
        FuzzsmoothError: If the model is missing, damaged, has no classifier head, or is not a classifier.
    """
    if num_labels is not None and num_labels < 2:
        raise FuzzsmoothError(f"num_labels is {num_labels}; a classifier needs at least two")
    folder = model_folder(resolve_model(name), allow_bin=allow_bin)
    check_configuration(folder)
    if labels is not None:
        check_order(folder, name, labels)
    with quiet_transformers():
        config = _load_config(folder, name)
        if num_labels is not None:
            config.num_labels = num_labels
        _check_task(config, name)
        tensors = read_tensors(folder, allow_bin=allow_bin)
        model = _build(config, tensors, name, fresh_head=num_labels is not None, seed=seed)
        tokenizer = _load_tokenizer(folder, name)
    _check_vocabulary(model, tokenizer, name)
    classifier = HuggingFaceClassifier(
        model,
        tokenizer,
        labels if labels is not None else _config_labels(config, name),
        max_length=max_length if max_length is not None else _saved_max_length(folder),
        precision=precision,
        batch_size=batch_size,
        device=device,
    )
    _check_independence(classifier, name)
    return classifier


@contextmanager
def _explained(sentence: str) -> Iterator[None]:
    """Turn whatever a hostile or broken file provokes in a library into one sentence."""
    try:
        yield
    except Exception as error:
        # Its first sentence, shortened to fit into ours.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[0].split(". ")[0].rstrip(".")[:160]
        raise FuzzsmoothError(f"{sentence} ({reason})") from error


def _load_config(folder: Path, name: str) -> Any:
    from transformers import AutoConfig

    with _explained(f"{name}: config.json does not describe a model that transformers knows"):
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _check_task(config: Any, name: str) -> None:
    if config.num_labels is None or config.num_labels < 2 or config.problem_type == "regression":
        raise FuzzsmoothError(
            f"{name} has one output (regression); fuzzsmooth needs a classifier with two or more"
        )
    if config.problem_type == "multi_label_classification":
        raise FuzzsmoothError(f"{name} gives several labels to one text; fuzzsmooth needs one class per text")


def _config_labels(config: Any, name: str) -> list[str]:
    try:
        return [str(config.id2label[index]) for index in range(config.num_labels)]
    except KeyError as error:
        raise FuzzsmoothError(
            f"{name}: id2label in config.json does not name the classes 0, 1, ..."
        ) from error


def _saved_max_length(folder: Path) -> int | None:
    if not (folder / MARKER).is_file():
        return None
    value = read_json_object(folder / MARKER).get("max_length")
    return value if isinstance(value, int) else None


def _build(config: Any, tensors: dict[str, torch.Tensor], name: str, *, fresh_head: bool, seed: int) -> Any:
    from transformers import AutoModelForSequenceClassification
    from transformers.models.auto.auto_factory import _get_model_class

    known = AutoModelForSequenceClassification._model_mapping
    if type(config) not in known:
        raise FuzzsmoothError(f"{name}: transformers has no classifier of type '{config.model_type}'")
    unbuildable = f"{name}: the model cannot be built from its config.json"
    with _explained(unbuildable), torch.device("meta"):
        architecture = _get_model_class(config, known)
        described = architecture(copy.deepcopy(config)).num_parameters()
    _check_size(described, tensors, name)
    with _explained(unbuildable), torch.random.fork_rng(devices=[]):
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
    _check_report(model, report, name, fresh_head=fresh_head)
    return model


def _check_size(described: int, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Refuse a configuration far larger than its checkpoint before memory is spent on it."""
    stored = sum(tensor.numel() for tensor in tensors.values())
    if described > 2 * stored + _HEAD_ROOM:
        raise FuzzsmoothError(
            f"{name}: config.json describes {described:,} parameters, but the checkpoint holds {stored:,}"
        )


def _check_report(model: Any, report: dict[str, Any], name: str, *, fresh_head: bool) -> None:
    """Refuse what transformers would fill with random numbers."""
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
        )
    if missing and not fresh_head:
        raise FuzzsmoothError(
            f"{name} has no classifier head (no {missing[0]}); fine-tune it first, or give num_labels "
            "for a fresh head"
        )


def _load_tokenizer(folder: Path, name: str) -> Any:
    from transformers import AutoTokenizer

    if not any(path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)):
        raise FuzzsmoothError(
            f"{name} has no tokenizer (no tokenizer.json); save its tokenizer into the same folder"
        )
    with _explained(f"{name}: the tokenizer cannot be loaded"):
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _check_vocabulary(model: Any, tokenizer: Any, name: str) -> None:
    vocabulary = tokenizer.get_vocab()
    if len(vocabulary) <= len(tokenizer.all_special_ids):
        raise FuzzsmoothError(
            f"{name}: the tokenizer knows no words; save its tokenizer.json into the same folder"
        )
    embeddings = model.get_input_embeddings()
    if isinstance(embeddings, torch.nn.Embedding) and max(vocabulary.values()) >= embeddings.num_embeddings:
        raise FuzzsmoothError(
            f"{name}: the tokenizer has ids up to {max(vocabulary.values())}, "
            f"but the model only {embeddings.num_embeddings} embeddings; use the model's own tokenizer"
        )


def _check_independence(classifier: HuggingFaceClassifier, name: str) -> None:
    """Compare a short text alone with itself beside a longer one: certificates need a function of one text.

    This finds architectures that read padding (such as XLNet, which wants it on the left) and weights that
    are not numbers.
    """
    short, long = classifier.encode(["a good film", " ".join(["a good film"] * 8)]).ids
    alone, beside = classifier.logits_of_batch([short])[0], classifier.logits_of_batch([long, short])[1]
    classifier.forward_count = 0
    tolerance = 1e-3 if classifier.precision == "float32" else 0.05
    if abs(alone - beside).max() > tolerance * max(1.0, abs(alone).max()):
        raise FuzzsmoothError(
            f"{name}: its answer to a text depends on the other texts of a batch, so it cannot be certified"
        )
