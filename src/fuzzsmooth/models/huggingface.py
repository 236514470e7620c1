"""Any Hugging Face sequence classifier as a function from texts to probabilities."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.batches import equal_length_batches, length_batches
from fuzzsmooth.models.bert_forward import first_token_logits, reads_first_token_only
from fuzzsmooth.models.devices import Precision, choose_device, choose_precision
from fuzzsmooth.models.encoding import (
    EncodedTexts,
    choose_max_length,
    encode_texts,
    settle_padding,
    switch_off_dropout,
)
from fuzzsmooth.models.fingerprint import model_fingerprint
from fuzzsmooth.models.fixed_shapes import evaluate_side_by_side, fixed_batches, rows_are_alike
from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.models.quiet import quiet_transformers
from fuzzsmooth.models.rows import Tokens, distinct_sequences, pad_rows, padding_mask, to_device
from fuzzsmooth.models.saving import MARKER, replace_folder

# Not cuDNN's: it plans anew for every shape, which here changes with every batch. Seen on one H200: 6 ms.
_ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


class HuggingFaceClassifier:
    """A transformers sequence classifier behind the :class:`~fuzzsmooth.models.protocol.Classifier` protocol.

    Use :func:`~fuzzsmooth.models.loading.load_classifier` to get one from a name.

    Args:
        model: A sequence classification model; its parameters must be float32.
        tokenizer: Its tokenizer.
        labels: Class names, in column order, at least two.
        max_length: Where texts are cut, in tokens with the special ones; by default the model's limit, at
            most 512.
        precision: Type of the forward pass; ``auto`` is bfloat16 where the processor computes it natively.
        batch_size: Sequences in one forward pass, >= 1; of short ones, as many as make 64 times that many
            tokens.
        device: ``auto``, or a PyTorch device such as ``cpu`` or ``cuda:0``.

    Attributes:
        model: The float32 model, to be trained; call :meth:`refresh` after changing its parameters.
        tokenizer: The tokenizer.
        labels: Class names.
        max_length: Where texts are cut, in tokens.
        precision: ``float32`` or ``bfloat16``.
        batch_size: Sequences in one forward pass; the outputs do not depend on it beyond rounding.
        device: Where the model is.
        pad_id: Token id that fills the short rows of a batch.
        pads: Whether texts of different lengths may share a batch; not where a model reads its padding.
        shortest: Tokens to which shorter texts are padded, for models that do not run on fewer.
        fixed_shapes: Whether sequences are evaluated in batches of fixed shapes, see :meth:`reproducible`.

    Raises:
        FuzzsmoothError: If labels, lengths, device or tokenizer do not fit the model.
    """

    deterministic = True  # evaluated without dropout, of the tokenizer either

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        labels: Sequence[str],
        *,
        max_length: int | None = None,
        precision: Literal["auto", "float32", "bfloat16"] = "float32",
        batch_size: int = 32,
        device: str = "auto",
    ) -> None:
        self.labels = tuple(str(label) for label in labels)
        _check_labels(self.labels, int(model.config.num_labels))
        if batch_size < 1:
            raise FuzzsmoothError(f"batch_size is {batch_size}, expected at least 1")
        if any(parameter.dtype != torch.float32 for parameter in model.parameters()):
            raise FuzzsmoothError("the model's parameters are not float32; load it with dtype=torch.float32")
        model.config.id2label = dict(enumerate(self.labels))
        model.config.label2id = {label: index for index, label in enumerate(self.labels)}
        self.pad_id = settle_padding(model, tokenizer)
        self.tokenizer = tokenizer
        # So that others who ask it (units of tokens, attacks) read the names of special tokens as text, too.
        self.tokenizer.split_special_tokens = True
        switch_off_dropout(tokenizer)
        self.max_length = choose_max_length(model, tokenizer, max_length)
        self.device = choose_device(device)
        self.precision: Precision = choose_precision(precision, self.device)
        self.batch_size = batch_size
        self.pads = True
        self.shortest = 1
        self.fixed_shapes = False
        self.model = model.to(self.device).eval()
        self._counted = [0]
        self._cast: Any = None
        self._fingerprints: dict[int, str] = {}  # by maximum length, which may be set anew
        self._rows_alike: bool | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of weights, configuration, tokenizer, labels, ``max_length``; not of precision."""
        if self.max_length not in self._fingerprints:
            found = model_fingerprint(self.model, self.tokenizer, self.labels, self.max_length)
            self._fingerprints[self.max_length] = found
        return self._fingerprints[self.max_length]

    @property
    def forward_count(self) -> int:
        """How many sequences were evaluated so far, without what fills batches up."""
        return self._counted[0]

    @forward_count.setter
    def forward_count(self, count: int) -> None:
        self._counted[0] = count

    @property
    def evaluation_model(self) -> Any:
        """The model that computes the outputs: ``model``, or its bfloat16 copy, made when first needed."""
        if self.precision == "float32":
            return self.model
        if self._cast is None:
            # A copy beats autocast, which casts the weights anew in each pass.
            self._cast = copy.deepcopy(self.model).to(torch.bfloat16).eval().requires_grad_(False)
        return self._cast

    def refresh(self) -> None:
        """Forget what was derived from the parameters; call it after training."""
        self._cast = None
        self._fingerprints.clear()  # twins share it

    def to(self, device: str) -> HuggingFaceClassifier:
        """Move the model to a device (see the constructor) and return the classifier."""
        self.device = choose_device(device)
        self.model.to(self.device)
        self._cast = None
        return self

    def in_precision(self, precision: Precision) -> HuggingFaceClassifier:
        """The same classifier, sharing model and tokenizer, with another type of the forward pass."""
        twin = copy.copy(self)
        twin.precision, twin._cast, twin._counted = precision, None, [0]
        twin.fixed_shapes = False
        return twin

    def reproducible(self) -> HuggingFaceClassifier:
        """The same classifier in float32 and, where that makes a difference bit by bit, in fixed shapes.

        Returns:
            A twin that shares model and tokenizer. On a processor whose kernels treat the rows of a batch
            alike it has ``fixed_shapes``: the answer to a sequence is the same whatever else is asked about.
        """
        if self.fixed_shapes:
            return self
        twin = self.in_precision("float32")
        if self._rows_alike is None and self.device.type == "cpu":
            longest = twin.max_length

            def forward(model: Any, ids: torch.Tensor) -> torch.Tensor:
                return twin._logits(model, ids, torch.ones_like(ids), reads_first_token_only(model))

            with twin.evaluating() as model:
                self._rows_alike = longest >= self.shortest and rows_are_alike(model, forward, longest)
        twin.fixed_shapes = bool(self._rows_alike)
        if self.precision == "float32":
            twin._counted = self._counted
        return twin

    def encode(self, texts: Iterable[str]) -> EncodedTexts:
        """Token ids of texts, cut at ``max_length``, and which were cut."""
        return encode_texts(self.tokenizer, texts, self.max_length)

    def truncated(self, texts: Iterable[str]) -> list[bool]:
        """Whether each text is longer than the model reads."""
        return self.encode(texts).truncated

    def logits(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Logits of each text, shape (len(texts), len(labels))."""
        return self.logits_of_ids(self.encode(texts).ids)

    def probabilities(self, texts: Iterable[str]) -> Probabilities:
        """Class probabilities of each text, shape (len(texts), len(labels)), in the order of the texts."""
        return softmax(self.logits(texts))

    def logits_of_ids(self, ids: Sequence[Sequence[int] | Tokens]) -> npt.NDArray[np.float32]:
        """Logits of token sequences, shape (len(ids), len(labels)).

        Equal sequences are evaluated once; the others in batches of similar length.

        Args:
            ids: Non-empty token id sequences, special tokens included, as :meth:`encode` gives them.

        Raises:
            FuzzsmoothError: If the model gives a value that is not finite.
        """
        distinct, places = distinct_sequences(ids)
        batches = self.batches(distinct)
        self.forward_count += len(distinct)
        with self.evaluating() as model:
            # Fetched at the end: an accelerator computes one batch while the next one is prepared.
            first_only = reads_first_token_only(model)

            def evaluate(chosen: list[int]) -> torch.Tensor:
                return self._forward(model, [distinct[index] for index in chosen], first_only)

            outputs = (
                evaluate_side_by_side(evaluate, batches)
                if self.fixed_shapes
                else list(map(evaluate, batches))
            )
        result = np.empty((len(distinct), len(self.labels)), dtype=np.float32)
        for chosen, output in zip(batches, outputs, strict=True):
            result[chosen] = output.float().cpu().numpy()  # what fills a batch up repeats its first row
        return _finite(result)[places]

    def logits_of_batch(self, ids: Sequence[Sequence[int] | Tokens]) -> npt.NDArray[np.float32]:
        """Logits of token sequences evaluated in one padded call, to see what batches do to a result.

        Of a model that reads its padding, those of equal length are.

        Args:
            ids: As in :meth:`logits_of_ids`, at least one.

        Raises:
            FuzzsmoothError: If the model gives a value that is not finite.
        """
        lengths = [len(row) for row in ids]
        groups = [list(range(len(ids)))] if self.pads else equal_length_batches(lengths, len(ids))
        result = np.empty((len(ids), len(self.labels)), dtype=np.float32)
        self.forward_count += len(ids)
        with self.evaluating() as model:
            first_only = reads_first_token_only(model)
            for chosen in groups:
                output = self._forward(model, [ids[index] for index in chosen], first_only)
                result[chosen] = output.float().cpu().numpy()
        return _finite(result)

    def batches(self, ids: Sequence[Sequence[int] | Tokens]) -> list[list[int]]:
        """Indices of token sequences, cut into batches of similar length, or of equal length (``pads``).

        In ``fixed_shapes`` an index may occur several times in a batch.
        """
        lengths = [len(row) for row in ids]
        if self.fixed_shapes:
            return fixed_batches(lengths)
        if not self.pads:
            return equal_length_batches(lengths, self.batch_size)
        return length_batches(lengths, self.batch_size, accelerator=self.device.type != "cpu")

    def padded(self, rows: Sequence[Sequence[int] | Tokens]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token sequences as one batch: ids and attention mask, see :func:`pad_rows`."""
        return pad_rows(rows, self.pad_id, self.shortest)

    @contextmanager
    def evaluating(self) -> Iterator[Any]:
        """The model that computes the outputs, with dropout off.

        The certificates are about one function, not about one of its thinned copies. Trained parts and
        frozen ones may be in different modes, which come back on leaving.
        """
        model = self.evaluation_model
        trained = [module for module in model.modules() if module.training]  # mostly none
        for module in trained:
            module.training = False
        try:
            with sdpa_kernel(_ATTENTION) if self.device.type == "cuda" else nullcontext():
                yield model
        finally:
            for module in trained:
                module.training = True

    @torch.inference_mode()
    def _forward(self, model: Any, rows: Sequence[Sequence[int] | Tokens], first_only: bool) -> torch.Tensor:
        """Logits of one batch, on the device."""
        ids, mask = self.padded(rows)
        return self._logits(model, to_device(ids, self.device), mask, first_only)

    def _logits(self, model: Any, ids: torch.Tensor, mask: torch.Tensor, first_only: bool) -> torch.Tensor:
        if first_only:
            return first_token_logits(model, ids, padding_mask(mask, self.device))
        output: torch.Tensor = model(input_ids=ids, attention_mask=to_device(mask, self.device)).logits
        return output

    def save(self, folder: str | Path, beside: Callable[[Path], None] = lambda _folder: None) -> Path:
        """Write model (safetensors), tokenizer and configuration, whole or not at all.

        Args:
            folder: A new or empty folder, or one saved by fuzzsmooth before, which is replaced.
            beside: Adds files of its own to the folder it is given, before that takes its place.

        Returns:
            The folder; :func:`~fuzzsmooth.models.loading.load_classifier` gives the same classifier from it.

        Raises:
            FuzzsmoothError: If the folder holds other files or cannot be written.
        """
        path = Path(folder)

        def write(content: Path) -> None:
            self._write(content)
            beside(content)

        replace_folder(path, write)
        return path

    def _write(self, folder: Path) -> None:
        with quiet_transformers():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        settings = {"max_length": self.max_length}
        (folder / MARKER).write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def softmax(logits: npt.NDArray[np.float32]) -> Probabilities:
    """Row-wise softmax in float64, shape (rows, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf)
    powers = np.exp(shifted)
    result: Probabilities = powers / powers.sum(axis=1, keepdims=True)
    return result


def _finite(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if not np.isfinite(logits).all():
        raise FuzzsmoothError(
            "the model gives outputs that are not finite; its weights are damaged or diverged"
        )
    return logits


def _check_labels(labels: tuple[str, ...], outputs: int) -> None:
    if len(labels) != outputs:
        raise FuzzsmoothError(f"{len(labels)} labels were given, but the model has {outputs} outputs")
    if len(labels) < 2:
        raise FuzzsmoothError("the model has one output (regression); a classifier needs at least two labels")
    if len(set(labels)) != len(labels):
        raise FuzzsmoothError(
            f"the labels {short_name(', '.join(labels))} are not distinct; give each class its own name"
        )
