"""Any Hugging Face sequence classifier as a function from texts to probabilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.models.noisy import noisy_logits
from fuzzsmooth.models.passes import Passes
from fuzzsmooth.models.protocol import Ids, Logits, Probabilities, WeightNoise
from fuzzsmooth.models.quiet import quiet_transformers
from fuzzsmooth.models.saving import MARKER, replace_folder


class HuggingFaceClassifier(Passes):
    """A transformers sequence classifier: a :class:`~fuzzsmooth.models.protocol.TokenClassifier` with noise.

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
        shares_prefix: Whether keys and values of what a prompt has before every text are computed once.
        fixed_shapes: Whether sequences are evaluated in batches of fixed shapes, see :meth:`reproducible`.
        batch_a_thread: Whether each batch is evaluated by one thread, see :meth:`side_by_side`.
        noisy_batches: By number of noised layers, once known: whether the noises of a batch take one pass.

    Raises:
        FuzzsmoothError: If labels, lengths, device or tokenizer do not fit the model.
    """

    deterministic = True  # evaluated without dropout, of the tokenizer either; with noise under given seeds

    def truncated(self, texts: Iterable[str]) -> list[bool]:
        """Whether each text is longer than the model reads."""
        return self.encode(texts).truncated

    def logits(
        self,
        ids: Ids,
        *,
        noise: WeightNoise | None = None,
        seeds: Sequence[int] = (),
        one_batch: bool = False,
    ) -> Logits:
        """See :meth:`fuzzsmooth.models.protocol.TokenClassifier.logits`.

        Without noise equal sequences are evaluated once, the others in batches of similar length; for noise
        see :func:`fuzzsmooth.models.noisy.noisy_logits`.
        """
        if noise is None:
            return self._plain_logits(ids, one_batch=one_batch)
        require(not one_batch, "sequences under parameter noise are not evaluated in one padded call")
        return noisy_logits(self, ids, noise, seeds)

    def logits_of_texts(self, texts: Iterable[str]) -> Logits:
        """Logits of each text, shape (len(texts), len(labels))."""
        return self.logits(self.encode(texts).ids)

    def probabilities(self, texts: Iterable[str]) -> Probabilities:
        """Class probabilities of each text, shape (len(texts), len(labels)), in the order of the texts."""
        return softmax(self.logits_of_texts(texts))

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
            with quiet_transformers():
                self.model.save_pretrained(content)
                self.tokenizer.save_pretrained(content)
            settings = {"max_length": self.max_length}
            (content / MARKER).write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
            beside(content)

        replace_folder(path, write)
        return path


def softmax(logits: Logits) -> Probabilities:
    """Row-wise softmax in float64, shape (rows, classes)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf)
    powers = np.exp(shifted)
    result: Probabilities = powers / powers.sum(axis=1, keepdims=True)
    return result
