"""Load a classifier from a name, treating the checkpoint as hostile."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.printing import printable, short_name
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, kind_of, read_json_object
from fuzzsmooth.models.building import build_model, explained
from fuzzsmooth.models.checkpoint import settle_configuration
from fuzzsmooth.models.encoding import switch_off_dropout
from fuzzsmooth.models.files import model_files
from fuzzsmooth.models.heads import check_order
from fuzzsmooth.models.huggingface import HuggingFaceClassifier
from fuzzsmooth.models.independence import settle_batches, settle_prefix
from fuzzsmooth.models.prompt import CONTENT_FREE, KEY, PromptOptions
from fuzzsmooth.models.prompted import divide_out, has_prompt, is_prompted, prompt_model, with_prompt
from fuzzsmooth.models.quiet import quiet_transformers
from fuzzsmooth.models.saving import MARKER
from fuzzsmooth.models.tokenizer_probes import probe_tokenizer

_UNKNOWN = "config.json does not describe a model that transformers knows"
_LONGEST_LABEL = 1000  # characters


class ModelWarning(UserWarning):
    """Something about a loaded model that its user may not expect."""


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
    prompt: PromptOptions | None = None,
) -> HuggingFaceClassifier:
    """Load a text classifier; nothing in the checkpoint is ever executed.

    Weights are read from safetensors only, and code that a model brings along is refused; there is no option
    for it.

    Args:
        name: ``builtin:minilm``, a local folder, or a hub name; of a model, or of a LoRA adapter that names
            its base model.
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
        prompt: Asks a causal language model for the class of a text; it needs no head and is not trained.

    Raises:
        UnsafeModelError: If the checkpoint could run code, or the packaged model was changed.
        FuzzsmoothError: If the model is missing, damaged, has no classifier head, or is not a classifier.
    """
    if num_labels is not None and num_labels < 2:
        raise FuzzsmoothError(f"num_labels is {num_labels}; a classifier needs at least two")
    asked = prompt if prompt is not None and prompt.given else None
    files = model_files(name, allow_bin=allow_bin)
    files.check_tokenizer(name)
    if labels is not None:
        check_order(files, name, labels)
    with quiet_transformers():
        config = load_config(files.folder, name)
        classes = num_labels or files.adapter_classes()
        if classes is not None and classes != config.num_labels:
            config.num_labels = classes
        if asked is None:
            _check_task(config, name)
        tensors = files.tensors(allow_bin=allow_bin)
        with explained(f"{name}: {_UNKNOWN}"):
            sparse_from = settle_configuration(config, tensors)
        tokenizer = load_tokenizer(files.tokenizer, name)
        if asked is None:
            model, unused = build_model(config, tensors, name, fresh_head=num_labels is not None, seed=seed)
            model = with_prompt(model, name) if has_prompt(config) else model
        else:
            made = prompt_model(asked, config, tensors, tokenizer, name)
            model, tokenizer, unused = made.model, made.tokenizer, []
    with explained(f"{name}: model and tokenizer do not fit each other"):
        random = switch_off_dropout(tokenizer)
        check_vocabulary(model, tokenizer, name)
        classifier = HuggingFaceClassifier(
            model,
            tokenizer,
            labels or (asked.labels if asked is not None else _config_labels(config, name)),
            max_length=max_length if max_length is not None else _saved_max_length(files.folder),
            precision=precision,
            batch_size=batch_size,
            device=device,
        )
    chosen = classifier.precision
    shared = settle_prefix(classifier)
    settle_batches(classifier, name)
    if asked is not None and asked.calibrate:
        divide_out(model, torch.from_numpy(classifier.probabilities(CONTENT_FREE)))
        classifier.refresh()
    classifier.forward_count = 0
    notes = _notes(classifier, unused, sparse_from)
    if files.adapter is not None:
        notes.append(f"an adapter, merged into {short_name(files.base)}")
    if asked is None and is_prompted(model) and len(model.prompt):
        written = short_name(str(getattr(model.config, KEY).get("template")), 80)
        notes.append(f"it puts each text into a prompt of {len(model.prompt)} tokens: {written}")
    if not shared:
        notes.append(
            "the template is computed anew for each text, because the model does not let it be shared"
        )
    if random:
        notes.append("the dropout of its tokenizer is switched off, so that a text is read in one way only")
    if classifier.precision != chosen:
        notes.append(f"it computes in {classifier.precision}, because it does not run in {chosen}")
    _tell(notes, name)
    return classifier


def _notes(classifier: HuggingFaceClassifier, unused: list[str], sparse_from: int | None) -> list[str]:
    """What was decided about a model, where the user may not expect it."""
    notes = []
    if unused:
        notes.append(
            f"weights of another task are left aside ({len(unused)} of the checkpoint's, such as "
            f"{short_name(unused[0])})"
        )
    if sparse_from is not None and classifier.max_length > sparse_from:
        notes.append(
            f"texts of more than {sparse_from} tokens get full attention, not the sparse one, because the "
            "model would take either by the texts it has read before"
        )
    if not classifier.pads:
        notes.append("only texts of equal length are evaluated together, because the model reads padding")
    return notes


def _tell(notes: list[str], name: str) -> None:
    for note in notes:
        warnings.warn(f"{name}: {note}", ModelWarning, stacklevel=3)


def load_config(folder: Path, name: str) -> Any:
    """The configuration of a checked folder; no code is run, nothing is fetched."""
    from transformers import AutoConfig

    with explained(f"{name}: {_UNKNOWN}"):
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
        labels = [str(config.id2label[index]) for index in range(config.num_labels)]
    except KeyError as error:
        raise FuzzsmoothError(
            f"{name}: id2label in config.json does not name the classes 0, 1, ..."
        ) from error
    for index, label in enumerate(labels):
        if len(label) > _LONGEST_LABEL:
            raise FuzzsmoothError(
                f"{name}: the label of class {index} in config.json has {len(label):,} characters; "
                "give the classes names of their own"
            )
    # Labels are shown wherever an answer is: what a stranger named must not steer a terminal.
    return [printable(label) for label in labels]


def _saved_max_length(folder: Path) -> int | None:
    path = folder / MARKER
    if not path.exists():
        return None
    mend = "remove the file, or fetch the model again"
    value = read_json_object(path, limit=CONFIGURATION_BYTES, mend=mend).get("max_length")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise FuzzsmoothError(f"{path}: max_length is {kind_of(value)}, expected a whole number; {mend}")
    return value


def load_tokenizer(folder: Path, name: str) -> Any:
    """The tokenizer of a checked folder, tried out; no code is run, nothing is fetched."""
    from transformers import AutoTokenizer

    with explained(f"{name}: the tokenizer cannot be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        _check_unknown(tokenizer, name)
        probe_tokenizer(tokenizer, name)
    return tokenizer


def _check_unknown(tokenizer: Any, name: str) -> None:
    """Where the unknown token is unknown itself, transformers asks for it without end."""
    unknown = tokenizer.unk_token
    if unknown is not None and unknown not in tokenizer.get_vocab():
        raise FuzzsmoothError(
            f"{name}: the tokenizer's unknown token {short_name(unknown)!r} is not in its vocabulary; "
            "use the model's own tokenizer"
        )


def check_vocabulary(model: Any, tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer without words, or with ids that the model does not know."""
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
