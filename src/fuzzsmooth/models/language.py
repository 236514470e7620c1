"""Causal language models: how surprising a text is to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.models.batches import length_batches
from fuzzsmooth.models.building import build_language_model, explained
from fuzzsmooth.models.checkpoint import settle_configuration
from fuzzsmooth.models.devices import choose_device, choose_precision
from fuzzsmooth.models.encoding import choose_max_length, encode_texts, settle_padding, switch_off_dropout
from fuzzsmooth.models.files import model_files
from fuzzsmooth.models.fingerprint import model_fingerprint
from fuzzsmooth.models.loading import check_vocabulary, load_config, load_tokenizer
from fuzzsmooth.models.protocol import Ids
from fuzzsmooth.models.quiet import quiet_transformers
from fuzzsmooth.models.rows import distinct_sequences, pad_rows, to_device


class LanguageModel:
    """A causal language model with its tokenizer; see :func:`load_language_model`.

    Args:
        model: A causal language model in float32.
        tokenizer: Its tokenizer.
        max_length: Where texts are cut, in tokens with the one they begin with; by default the model's limit,
            at most 512.
        precision: Type of the forward pass; ``auto`` is bfloat16 where the processor computes it natively.
        batch_size: Sequences in one forward pass, >= 1.
        device: ``auto``, or a PyTorch device.

    Attributes:
        fingerprint: SHA-256 (hex) of weights, configuration, tokenizer and length.

    Raises:
        FuzzsmoothError: If tokenizer, length or device do not fit.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        max_length: int | None = None,
        precision: Literal["auto", "float32", "bfloat16"] = "float32",
        batch_size: int = 32,
        device: str = "auto",
    ) -> None:
        require(batch_size >= 1, f"batch_size is {batch_size}, expected at least 1")
        self._tokenizer = tokenizer
        self._pad = settle_padding(model, tokenizer)
        self._begin = _first_id(tokenizer)
        switch_off_dropout(tokenizer)
        self._max_length = choose_max_length(model, tokenizer, max_length)
        self.fingerprint = model_fingerprint(model, tokenizer, (), self._max_length)
        self._device = choose_device(device)
        self.precision = choose_precision(precision, self._device)
        kind = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        self._model = model.to(self._device, kind).eval().requires_grad_(False)
        self._batch_size = batch_size

    def perplexities(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The exponential of the mean negative log-likelihood of the tokens of each text.

        Each text is read after the token that texts begin with, so that its first word counts, too, and a
        text of one token has a perplexity. Padding takes no part: the value of a text does not depend, beyond
        rounding, on the other texts.

        Args:
            texts: The texts; equal ones are read once.

        Returns:
            Shape (texts,), >= 1; infinite where a text is beyond all measure.

        Raises:
            FuzzsmoothError: If the model's outputs are not finite.
        """
        encoded = encode_texts(self._tokenizer, texts, self._max_length).ids
        ids = [row if row[0] == self._begin else [self._begin, *row][: self._max_length] for row in encoded]
        rows, places = distinct_sequences(ids)
        losses = np.zeros(len(rows))
        on_cpu = self._device.type == "cpu"
        for chosen in length_batches([len(row) for row in rows], self._batch_size, accelerator=not on_cpu):
            losses[chosen] = self._losses([rows[index] for index in chosen])
        require(
            bool(np.isfinite(losses).all()),
            "the language model gives outputs that are not finite; its weights are damaged",
        )
        with np.errstate(over="ignore"):
            found: npt.NDArray[np.float64] = np.exp(losses)[places]
        return found

    @torch.inference_mode()
    def _losses(self, rows: Ids) -> npt.NDArray[np.float64]:
        """The mean loss of the tokens of each sequence but the first; 0 of a sequence of one."""
        ids, mask = pad_rows(rows, self._pad)
        ids, mask = to_device(ids, self._device), to_device(mask, self._device)
        logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
        losses = functional.cross_entropy(logits.float().mT, ids[:, 1:], reduction="none")
        counted = mask[:, 1:].to(losses.dtype)
        mean = (losses * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)
        result: npt.NDArray[np.float64] = mean.double().cpu().numpy()
        return result


def load_language_model(
    name: str,
    *,
    max_length: int | None = None,
    precision: Literal["auto", "float32", "bfloat16"] = "float32",
    batch_size: int = 32,
    device: str = "auto",
) -> LanguageModel:
    """Load a causal language model as safely as a classifier: safetensors only, no code of the model's.

    Args:
        name: ``builtin:smollm2``, a local folder, or a hub name.
        max_length: See :class:`LanguageModel`.
        precision: See :class:`LanguageModel`.
        batch_size: See :class:`LanguageModel`.
        device: See :class:`LanguageModel`.

    Raises:
        UnsafeModelError: If the checkpoint could run code.
        FuzzsmoothError: If the model is missing, damaged, or no causal language model.
    """
    model, tokenizer = load_causal(name)
    with explained(f"{name}: model and tokenizer do not fit each other"):
        return LanguageModel(
            model,
            tokenizer,
            max_length=max_length,
            precision=precision,
            batch_size=batch_size,
            device=device,
        )


def load_causal(name: str, *, allow_bin: bool = False) -> tuple[Any, Any]:
    """A causal language model in float32 and its tokenizer, as they are stored.

    Args:
        name: As for :func:`load_language_model`.
        allow_bin: Where there are no safetensors, read the tensors, and nothing else, of a .bin checkpoint.

    Raises:
        UnsafeModelError: If the checkpoint could run code.
        FuzzsmoothError: If the model is missing, damaged, or no causal language model.
    """
    files = model_files(name, allow_bin=allow_bin)
    files.check_tokenizer(name)
    with quiet_transformers():
        config = load_config(files.folder, name)
        tensors = files.tensors(allow_bin=allow_bin)
        with explained(f"{name}: config.json does not describe a model that transformers knows"):
            settle_configuration(config, tensors)
        model = build_language_model(config, tensors, name)
        tokenizer = load_tokenizer(files.tokenizer, name)
    with explained(f"{name}: model and tokenizer do not fit each other"):
        check_vocabulary(model, tokenizer, name)
    return model, tokenizer


def _first_id(tokenizer: Any) -> int:
    """The token that texts begin with; of models without one, the one that ends what stands before."""
    for found in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if isinstance(found, int):
            return found
    raise FuzzsmoothError(
        "the tokenizer of the language model has neither a token to begin nor one to end a text; use another"
    )
