"""A causal language model that writes: an answer to each text, a function of that text alone.

Each text is a batch of its own, never padded, evaluated by one thread on a processor: for a fixed shape
kernels do the same operations in the same order, so that the tokens of a greedy answer depend on nothing
else that is asked (:mod:`fuzzsmooth.models.fixed_shapes`). Keys and values of what stands before every
text are computed once. The instruction and the text are tokenized apart, and only the text is anybody else's.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch

from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.building import explained
from fuzzsmooth.models.chat import chat_format
from fuzzsmooth.models.devices import choose_device, choose_precision
from fuzzsmooth.models.encoding import EncodedTexts, choose_max_length, encode_texts, switch_off_dropout
from fuzzsmooth.models.fingerprint import model_fingerprint
from fuzzsmooth.models.fixed_shapes import alike_rows, evaluate_side_by_side, one_threaded
from fuzzsmooth.models.generation import GenerationOptions
from fuzzsmooth.models.language import load_causal
from fuzzsmooth.models.prompt import template_tokens, text_tokenizer
from fuzzsmooth.models.prompted import PrefixStates

Choose = Callable[[torch.Tensor], int]
"""From the logits of the next token, shape (vocabulary,), in float32 on the CPU, to that token."""

Following = Callable[[int | None], torch.Tensor]
"""From the token that was written last, None at first, to the logits of the next one."""


class GeneratingModel:
    """A causal language model with its tokenizer and its instruction; see :func:`load_generating`.

    Args:
        model: A causal language model in float32.
        tokenizer: Its tokenizer.
        options: What it goes on from, and how long it writes.
        name: Its name, for sentences.
        max_length: Where texts are cut, in tokens; by default what the model reads beside the instruction and
            the answer, at most 512.
        precision: Type of the forward pass; ``auto`` is bfloat16 where the device computes it natively.
        device: ``auto``, or a PyTorch device.

    Attributes:
        deterministic: Whether a greedy answer is the same whenever it is asked for. That is tried out on
            random weights, and said in float32 on a processor alone.
        model: The causal language model of transformers, in ``precision`` on ``device``.
        tokenizer: The tokenizer of texts.
        words: The tokenizer of answers, as the model brings it along.
        forward_count: How many answers were written.

    Raises:
        FuzzsmoothError: If tokenizer, instruction, length or device do not fit.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        options: GenerationOptions,
        name: str,
        *,
        max_length: int | None = None,
        precision: Literal["auto", "float32", "bfloat16"] = "float32",
        device: str = "auto",
    ) -> None:
        self.options = options
        switch_off_dropout(tokenizer)
        self.words, self._end = tokenizer, _ends(model, tokenizer, chat=options.chat)
        self.prompt, spaced = template_tokens(options.instruction, tokenizer, name, chat=options.chat)
        self.tokenizer = text_tokenizer(
            tokenizer, self.prompt, model, spaced=spaced, answer=options.max_tokens
        )
        self.tokenizer.split_special_tokens = True  # names of special tokens are text for whoever asks it
        self.max_length = choose_max_length(model, self.tokenizer, max_length)
        self._fingerprint = model_fingerprint(model, tokenizer, (), self.max_length)
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        kind = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        self.model = model.to(self.device, kind).eval().requires_grad_(False)
        self.forward_count = 0
        self._prefix = one_threaded(self._before)
        self.deterministic = self._is_repeatable()

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of model, tokenizer, instruction and lengths."""
        parts = [self._fingerprint, self.prompt.before, self.prompt.after, sorted(self._end)]
        written = json.dumps([*parts, self.options.max_tokens])
        return hashlib.sha256(written.encode()).hexdigest()

    def encode(self, texts: Iterable[str]) -> EncodedTexts:
        """Token ids of texts, cut at ``max_length``, and which were cut."""
        return encode_texts(self.tokenizer, texts, self.max_length)

    def answers(
        self,
        ids: Sequence[Sequence[int]],
        *,
        temperature: float = 0.0,
        chances: Sequence[np.random.Generator] = (),
    ) -> list[str]:
        """What the model writes behind each text, without special tokens and the white space around it.

        Args:
            ids: Token ids of texts, from :meth:`encode`.
            temperature: 0 takes the most likely token each time (of equal ones the lowest); else tokens are
                drawn from the softmax of the logits divided by it.
            chances: Above 0, a generator for each text.

        Raises:
            FuzzsmoothError: If the model gives values that are not finite, or takes too long.
        """
        chooses: list[Choose] = [_greedy] * len(ids)
        if temperature:
            chooses = [_sampled(temperature, one) for one in chances]
        require(len(chooses) == len(ids), "sampled answers need a generator for each text")
        self.forward_count += len(ids)

        def write(chosen: list[int]) -> torch.Tensor:
            return torch.tensor(self._write(ids[chosen[0]], chooses[chosen[0]]), dtype=torch.long)

        batches = [[index] for index in range(len(ids))]
        on_cpu = self.device.type == "cpu"
        written = evaluate_side_by_side(write, batches) if on_cpu else [write(one) for one in batches]
        return [self.read(one.tolist()) for one in written]

    def answers_together(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Greedy answers to several texts, several times as fast; each may depend on the others, by rounding.

        Args:
            ids: Token ids of texts, from :meth:`encode`; the answers are a function of this list.

        Raises:
            FuzzsmoothError: As :meth:`answers` does.
        """
        from fuzzsmooth.models.writing_together import written_together

        self.forward_count += len(ids)
        return [self.read(row) for row in written_together(self, ids)] if ids else []

    @torch.inference_mode()  # of one thread, and so anew in each
    def _write(self, ids: Sequence[int], choose: Choose) -> list[int]:
        """The tokens of an answer, without the one that ends it."""
        began, written = time.monotonic(), list[int]()
        following = self.following(ids)
        logits = following(None)
        while (token := choose(logits)) not in self._end:
            written.append(token)
            if len(written) == self.options.max_tokens:
                break
            self.check_time(began, len(written))
            logits = following(token)
        return written

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end an answer."""
        return self._end

    def following(self, ids: Sequence[int]) -> Following:
        """What comes next behind a text, token by token.

        Args:
            ids: Token ids of a text, from :meth:`encode`.

        Returns:
            A function from the token that was written last (None at first) to the logits of the next one,
            shape (vocabulary,), in float32 on the CPU; it raises :class:`FuzzsmoothError` if they are not
            finite.
        """
        known = self._cache()

        def next_logits(token: int | None) -> torch.Tensor:
            feed = [*ids, *self.prompt.after] if token is None else [token]
            tokens = torch.tensor([feed], device=self.device)
            read = self.model(input_ids=tokens, past_key_values=known, use_cache=True)
            logits: torch.Tensor = read.logits[0, -1].float().cpu()
            require(
                bool(torch.isfinite(logits).all()),
                "the language model gives outputs that are not finite; its weights are damaged",
            )
            return logits

        return next_logits

    def check_time(self, began: float, written: int) -> None:
        """Refuse to go on with an answer that takes too long.

        Raises:
            FuzzsmoothError: If it does.
        """
        require(
            time.monotonic() - began <= self.options.seconds,
            f"an answer takes more than {self.options.seconds:g} s ({written} of {self.options.max_tokens} "
            "tokens are written); allow more (--seconds) or fewer tokens (--max-tokens)",
        )

    def read(self, written: Sequence[int]) -> str:
        """An answer as text, without special tokens and the white space around it."""
        with explained("the tokenizer cannot write what the model answers"):
            text = self.words.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text).strip()

    def _cache(self) -> Any:
        """Keys and values of what stands before a text, to be added to."""
        from transformers import DynamicCache

        known = DynamicCache()
        for number, (keys, values) in enumerate(self._prefix):
            known.update(keys, values, number)
        return known

    @torch.inference_mode()
    def _before(self) -> PrefixStates:
        if not self.prompt.before:
            return []
        from transformers import DynamicCache

        ids = torch.tensor([self.prompt.before], device=self.device)
        kept = DynamicCache()  # of every token, also where layers look at the last ones only
        self.model(input_ids=ids, past_key_values=kept, use_cache=True)
        return [(layer.keys, layer.values) for layer in kept.layers]

    def _is_repeatable(self) -> bool:
        if self.device.type != "cpu" or self.precision != "float32":
            return False

        def forward(model: Any, ids: torch.Tensor) -> torch.Tensor:
            # As an answer is written: what stands there at once, then token by token.
            read = model(input_ids=ids[:, :-1], use_cache=True)
            last: torch.Tensor = model(
                input_ids=ids[:, -1:], past_key_values=read.past_key_values, use_cache=True
            ).logits[:, -1]
            return last

        return alike_rows(self.model, forward, max(2, self.max_length)) > 0


def load_generating(
    name: str,
    options: GenerationOptions,
    *,
    max_length: int | None = None,
    precision: Literal["auto", "float32", "bfloat16"] = "float32",
    device: str = "auto",
    allow_bin: bool = False,
) -> GeneratingModel:
    """Load a causal language model that writes, as safely as a classifier; no template of its own is run.

    Args:
        name: ``builtin:smollm2``, a local folder, or a hub name.
        options: What it goes on from, and how long it writes.
        max_length: See :class:`GeneratingModel`.
        precision: See :class:`GeneratingModel`.
        device: See :class:`GeneratingModel`.
        allow_bin: See :func:`fuzzsmooth.models.language.load_causal`.

    Raises:
        UnsafeModelError: If the checkpoint could run code.
        FuzzsmoothError: If the model is missing, damaged, or no causal language model.
    """
    model, tokenizer = load_causal(name, allow_bin=allow_bin)
    with explained(f"{short_name(name)}: the model cannot write"):
        return GeneratingModel(
            model, tokenizer, options, name, max_length=max_length, precision=precision, device=device
        )


def _greedy(logits: torch.Tensor) -> int:
    return int(np.argmax(logits.numpy()))


def _sampled(temperature: float, chance: np.random.Generator) -> Choose:
    def choose(logits: torch.Tensor) -> int:
        scaled = logits.double().numpy() / temperature
        powers = np.exp(scaled - scaled.max())
        heights = np.cumsum(powers)
        found = int(np.searchsorted(heights, chance.random() * heights[-1], side="right"))
        return min(found, len(heights) - 1)

    return choose


def _ends(model: Any, tokenizer: Any, *, chat: bool) -> frozenset[int]:
    """The tokens that end an answer."""
    declared = model.config.get_text_config().eos_token_id
    found = [*(declared if isinstance(declared, list) else [declared]), tokenizer.eos_token_id]
    form = chat_format(tokenizer) if chat else None
    if form is not None and form.end:
        found.append(tokenizer.convert_tokens_to_ids(form.end))
    return frozenset(one for one in found if isinstance(one, int))
