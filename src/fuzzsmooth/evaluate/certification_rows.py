"""The rows of the certified-accuracy experiment: what certifies, and which fine-tuned model it stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import CertifiedAnswer, RanMask, RanMaskOptions, RsDel, RsDelOptions
from fuzzsmooth.evaluate.hybrid import HybridDeletion
from fuzzsmooth.evaluate.windowed import Windowed
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.training import FinetuneOptions

PLAIN = "plain"
"""The model that is fine-tuned plainly, which others may start from."""


class Certifier(Protocol):
    """Answers texts with certificates."""

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """One answer per text."""
        ...


@dataclass(frozen=True)
class Base:
    """A base model: how it is fine-tuned, and from what.

    Attributes:
        name: Names its folder.
        options: How it is fine-tuned.
        start: Name of the base model it goes on from, or None for the pre-trained one.
    """

    name: str
    options: FinetuneOptions
    start: str | None = None


@dataclass(frozen=True)
class Shared:
    """What all rows of a run share.

    Attributes:
        finetune: Fine-tuning of the plain model and of the baselines.
        deletion: Our fine-tuning under deletion; its rate is the row's.
        windows: Our fine-tuning for windows.
        draws: Copies of a text.
        alpha: Probability that a certificate is wrong, per text.
        longest: Longest contiguous trigger, in words.
        seed: Seed of training and draws.
    """

    finetune: FinetuneOptions
    deletion: FinetuneOptions
    windows: FinetuneOptions
    draws: int
    alpha: float
    longest: int
    seed: int


@dataclass(frozen=True)
class CertificationRow:
    """A row.

    Attributes:
        name: Its name.
        bases: The models to train, each after the one it starts from; the last is the row's own.
        build: Puts the certificate around the last one.
    """

    name: str
    bases: tuple[Base, ...]
    build: Callable[[HuggingFaceClassifier], Certifier]


KINDS: Mapping[str, str] = MappingProxyType(
    {
        "rs-del:RATE": "RS-Del / CERT-ED: uniform deletion, training on one deleted copy, closed form",
        "rs-del-hybrid:RATE": "the same model with our statistics",
        "ranmask:RATE": "RanMASK: uniform masking of a fixed share, lambda 1",
        "deletion:RATE": "uniform deletion with our training and our statistics",
        "deletion-sampled:RATE": "our training with the statistics of RS-Del",
        "windows-plain": "window certificate of the plainly fine-tuned model",
        "windows": "window certificate with our training",
    }
)
"""The kinds of rows and what each is; RATE stands for a number such as 0.9."""


def certification_row(name: str, shared: Shared) -> CertificationRow:
    """The row of a name such as "rs-del:0.9" or "windows".

    Raises:
        FuzzsmoothError: If there is no such row or its rate is none.
    """
    kind, _, written = name.partition(":")
    plain = Base(PLAIN, shared.finetune)
    if name == "windows-plain":
        return CertificationRow(name, (plain,), lambda model: Windowed(model, shared.longest))
    if name == "windows":
        own = Base("windows", shared.windows, PLAIN)
        return CertificationRow(name, (plain, own), lambda model: Windowed(model, shared.longest))
    rate = _rate(name, written) if f"{kind}:RATE" in KINDS else None
    if rate is None:
        raise FuzzsmoothError(f"unknown row '{name}'; known: {', '.join(KINDS)}")
    if kind == "ranmask":
        masking = RanMaskOptions(rate=rate, draws=shared.draws, alpha=shared.alpha, seed=shared.seed)
        base = Base(f"ranmask-{rate:g}", RanMask.training(shared.finetune, rate))
        return CertificationRow(name, (base,), lambda model: RanMask(model, masking, model.tokenizer))
    deleting = RsDelOptions(rate=rate, draws=shared.draws, alpha=shared.alpha, seed=shared.seed)
    if kind in ("rs-del", "rs-del-hybrid"):
        bases: tuple[Base, ...] = (Base(f"rs-del-{rate:g}", RsDel.training(shared.finetune, rate)),)
    else:
        bases = (plain, Base(f"deletion-{rate:g}", shared.deletion.replace(text_rate=rate), PLAIN))
    if kind in ("rs-del", "deletion-sampled"):
        return CertificationRow(name, bases, lambda model: RsDel(model, deleting))
    return CertificationRow(name, bases, lambda model: HybridDeletion(model, deleting))


def _rate(name: str, written: str) -> float:
    try:
        rate = float(written)
    except ValueError as error:
        raise FuzzsmoothError(f"row '{name}' needs a rate, as in '{name.partition(':')[0]}:0.9'") from error
    if not 0 < rate < 1:
        raise FuzzsmoothError(f"the rate of row '{name}' must lie strictly between 0 and 1")
    return rate
