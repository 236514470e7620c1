"""How token sequences go through a transformer: number type, device, batches, and nothing left to chance."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.batches import equal_length_batches, length_batches
from fuzzsmooth.models.bert_forward import first_token_logits, reads_first_token_only
from fuzzsmooth.models.devices import choose_device, choose_precision
from fuzzsmooth.models.encoding import (
    EncodedTexts,
    choose_max_length,
    encode_texts,
    settle_padding,
    switch_off_dropout,
)
from fuzzsmooth.models.fingerprint import model_fingerprint
from fuzzsmooth.models.fixed_shapes import alike_rows, evaluate_side_by_side, fixed_batches, one_threaded
from fuzzsmooth.models.prompted import PrefixStates, is_prompted, prefix_states, shared_logits
from fuzzsmooth.models.protocol import Ids, Logits, Precision
from fuzzsmooth.models.rows import distinct_sequences, pad_rows, padding_mask, to_device
from fuzzsmooth.noise.weight import NoisyCopies

# Not cuDNN's: it plans anew for every shape, which here changes with every batch. Seen on one H200: 6 ms.
_ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]

Pass: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From token ids on the device and an attention mask on the CPU to the logits of a batch."""


class Passes:
    """A sequence classification model with its tokenizer; see its one kind, ``HuggingFaceClassifier``."""

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
        require(batch_size >= 1, f"batch_size is {batch_size}, expected at least 1")
        require(
            all(parameter.dtype == torch.float32 for parameter in model.parameters()),
            "the model's parameters are not float32; load it with dtype=torch.float32",
        )
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
        self.shares_prefix = is_prompted(model) and bool(model.prompt.before)
        self.shortest = 1
        self.fixed_shapes = False
        self.batch_a_thread = False
        self.noisy_batches: dict[int, bool] = {}
        self.noisy_copies = NoisyCopies()
        self.model = model.to(self.device).eval()
        self._counted = [0]
        self._cast: Any = None
        self._prefix: tuple[object, PrefixStates] | None = None
        self._fingerprints: dict[int, str] = {}  # by maximum length, which may be set anew
        self._alike_rows: int | None = None
        self._alone: Self | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of weights, configuration, tokenizer, labels, ``max_length``; not of precision."""
        if self.max_length not in self._fingerprints:
            found = model_fingerprint(self.model, self.tokenizer, self.labels, self.max_length)
            self._fingerprints[self.max_length] = found
        return self._fingerprints[self.max_length]

    def refresh(self) -> None:
        """Forget what was derived from the parameters; call it after training."""
        self._cast = self._prefix = None
        self.noisy_copies.clear()
        self._fingerprints.clear()  # twins share it

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

    def to(self, device: str) -> Self:
        """Move the model to a device (see the constructor) and return the classifier."""
        self.device = choose_device(device)
        self.model.to(self.device)
        self._cast = self._prefix = self._alone = self._alike_rows = None
        return self

    def in_precision(self, precision: Precision) -> Self:
        """The same classifier, sharing model and tokenizer, with another type of the forward pass."""
        twin = copy.copy(self)
        twin.precision, twin._cast, twin._prefix, twin._counted = precision, None, None, [0]
        twin.fixed_shapes, twin._alone = False, None
        return twin

    def separate(self) -> Self:
        """The same classifier with a model of its own, whose parameters may be changed; one tokenizer."""
        twin = self.in_precision(self.precision)
        twin.model = copy.deepcopy(self.model)
        twin._fingerprints, twin.noisy_batches, twin.noisy_copies = {}, {}, NoisyCopies()
        return twin

    def reproducible(self) -> Self:
        """The same classifier in float32 and, where that makes a difference bit by bit, in fixed shapes.

        Returns:
            A twin that shares model and tokenizer, or itself if it is that. On a processor it has
            ``fixed_shapes``: the answer to a sequence is the same whatever else is asked about.
        """
        if self.fixed_shapes:
            return self
        twin = self.in_precision("float32")
        if self._alike_rows is None:
            self._alike_rows = twin._tried_rows() if self.device.type == "cpu" else 0
        if self.precision == "float32":
            if not self._alike_rows:
                return self
            twin._counted = self._counted
        twin.fixed_shapes, twin._alike_rows = self._alike_rows > 0, self._alike_rows
        return twin

    def side_by_side(self) -> Self:
        """The same classifier, sharing all, that evaluates a batch with each thread of a processor.

        As many batches at once as PyTorch has threads: threads that share the products of one batch wait for
        each other. The answers are the same but for rounding.
        """
        if self.device.type != "cpu":
            return self
        self.evaluation_model  # noqa: B018 - made here, so that both have one
        twin = copy.copy(self)
        twin.batch_a_thread = True
        return twin

    def one_by_one(self) -> Self:
        """As :meth:`reproducible`, each sequence a batch of its own: less work for few of many lengths.

        What fills up batches of fixed shapes is then more than what is asked about. Kept, so that what is
        computed once (the states of a prompt) is.
        """
        kept = self._alone
        if kept is None or kept.max_length != self.max_length or kept.model is not self.model:
            kept = copy.copy(self.reproducible())
            if kept.fixed_shapes:
                kept._alike_rows = 1
            self._alone = kept
        return kept

    def _tried_rows(self) -> int:
        def forward(model: Any, ids: torch.Tensor) -> torch.Tensor:
            # The weights are stand-ins: what was computed with the model's own is of no use.
            return self._pass(model, fresh=True)(ids, torch.ones_like(ids))

        with self.evaluating() as model:
            return alike_rows(model, forward, self.max_length) if self.max_length >= self.shortest else 0

    def encode(self, texts: Iterable[str]) -> EncodedTexts:
        """Token ids of texts, cut at ``max_length``, and which were cut."""
        return encode_texts(self.tokenizer, texts, self.max_length)

    def batches(self, ids: Ids) -> list[list[int]]:
        """Indices of token sequences, cut into batches of similar length, or of equal length (``pads``).

        In ``fixed_shapes`` an index may occur several times in a batch.
        """
        if self.fixed_shapes:
            assert self._alike_rows
            return fixed_batches([len(row) for row in ids], self._alike_rows)
        behind = len(self.model.prompt.after) if is_prompted(self.model) else 0
        lengths = [len(row) + behind for row in ids]
        if not self.pads:
            return equal_length_batches(lengths, self.batch_size)
        return length_batches(lengths, self.batch_size, accelerator=self.device.type != "cpu")

    def padded(self, rows: Ids) -> tuple[torch.Tensor, torch.Tensor]:
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

    def _plain_logits(self, ids: Ids, *, one_batch: bool) -> Logits:
        """Logits without noise: each distinct sequence once, in batches, or all in one padded call.

        Of a model that reads its padding, one call is one for each length.
        """
        rows, places = (ids, np.arange(len(ids))) if one_batch else distinct_sequences(ids)
        if not one_batch:
            batches = self.batches(rows)
        elif self.pads:
            batches = [list(range(len(rows)))]
        else:
            batches = equal_length_batches([len(row) for row in rows], len(rows))
        self.forward_count += len(rows)
        with self.evaluating() as model, torch.inference_mode():
            logits_of = self._pass(model)

            def evaluate(chosen: list[int]) -> torch.Tensor:
                return self._forward(logits_of, [rows[index] for index in chosen])

            # Fetched at the end: an accelerator computes one batch while the next one is prepared.
            side_by_side = (self.fixed_shapes or self.batch_a_thread) and not one_batch
            outputs = (
                evaluate_side_by_side(evaluate, batches) if side_by_side else list(map(evaluate, batches))
            )
        result = np.empty((len(rows), len(self.labels)), dtype=np.float32)
        for chosen, output in zip(batches, outputs, strict=True):
            result[chosen] = output.float().cpu().numpy()  # what fills a batch up repeats its first row
        require(
            bool(np.isfinite(result).all()),
            "the model gives outputs that are not finite; its weights are damaged or diverged",
        )
        found: Logits = result[places]
        return found

    @torch.inference_mode()  # of one thread, and so anew in each
    def _forward(self, logits_of: Pass, rows: Ids) -> torch.Tensor:
        """Logits of one batch, on the device."""
        ids, mask = self.padded(rows)
        return logits_of(to_device(ids, self.device), mask)

    def _pass(self, model: Any, *, fresh: bool = False) -> Pass:
        """The shortest pass that gives the logits of a batch.

        Args:
            model: The model that computes.
            fresh: Whether nothing that was kept is used.
        """
        if reads_first_token_only(model):
            return lambda ids, mask: first_token_logits(model, ids, padding_mask(mask, self.device))
        if self.shares_prefix:
            prefix = prefix_states(model) if fresh else self._kept_prefix(model)
            return lambda ids, mask: shared_logits(model, prefix, ids, mask)
        return lambda ids, mask: model(input_ids=ids, attention_mask=to_device(mask, self.device)).logits

    def _kept_prefix(self, model: Any) -> PrefixStates:
        """What stands before every text, computed once for the weights as they are."""
        state = [(id(one), 0 if one.is_inference() else one._version) for one in model.parameters()]
        if self._prefix is None or self._prefix[0] != state:
            self._prefix = state, one_threaded(lambda: prefix_states(model))
        return self._prefix[1]


def _check_labels(labels: tuple[str, ...], outputs: int) -> None:
    if len(labels) != outputs:
        raise FuzzsmoothError(f"{len(labels)} labels were given, but the model has {outputs} outputs")
    if len(labels) < 2:
        raise FuzzsmoothError("the model has one output (regression); a classifier needs at least two labels")
    if len(set(labels)) != len(labels):
        raise FuzzsmoothError(
            f"the labels {short_name(', '.join(labels))} are not distinct; give each class its own name"
        )
