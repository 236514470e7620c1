"""The rows of the certified-accuracy experiment: what certifies, and which fine-tuned model it stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Dataset
from fuzzsmooth.defenses import CertifiedAnswer, RanMask, RanMaskOptions, RsDel, RsDelOptions
from fuzzsmooth.evaluate.hybrid import HybridDeletion
from fuzzsmooth.evaluate.windowed import Windowed
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.training import FinetuneOptions, Offsets, Score, deletion_score, window_score

PLAIN = "plain"
"""The model that is fine-tuned plainly, which others may start from."""


class Certifier(Protocol):
    """Answers texts with certificates."""

    def certify(self, texts: Sequence[str]) -> list[CertifiedAnswer]:
        """One answer per text."""
        ...


Scorer = Callable[[HuggingFaceClassifier, Dataset], Callable[[Offsets], Score]]
"""Prepares the scoring of class offsets for a model on held-out texts."""


@dataclass(frozen=True)
class Base:
    """A base model: how it is made, and from what.

    Attributes:
        name: Names its folder.
        step: How it is fine-tuned; or what its class offsets are chosen by, for a model that only differs
            in these from the one it goes on from.
        start: Name of the base model it goes on from, or None for the pre-trained one.
    """

    name: str
    step: FinetuneOptions | Scorer
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
        "deletion:RATE": "uniform deletion with our training, class offsets and statistics",
        "deletion-trained:RATE": "the same without class offsets",
        "deletion-sampled:RATE": "the same with the statistics of RS-Del",
        "windows": "window certificate with our training and class offsets",
        "windows-trained": "the same without class offsets",
        "windows-plain": "window certificate of the plainly fine-tuned model",
        "windows-offsets": "the same with class offsets",
    }
)
"""The kinds of rows and what each is; RATE stands for a number such as 0.9."""


def certification_row(name: str, shared: Shared) -> CertificationRow:
    """The row of a name such as "rs-del:0.9" or "windows".

    Raises:
        FuzzsmoothError: If there is no such row or its rate is none.
    """
    kind, _, written = name.partition(":")
    if name in KINDS:
        return CertificationRow(
            name, _window_bases(name, shared), lambda model: Windowed(model, shared.longest)
        )
    if f"{kind}:RATE" not in KINDS:
        raise FuzzsmoothError(f"unknown row '{name}'; known: {', '.join(KINDS)}")
    rate = _rate(name, written)
    if kind == "ranmask":
        masking = RanMaskOptions(rate=rate, draws=shared.draws, alpha=shared.alpha, seed=shared.seed)
        base = Base(f"ranmask-{rate:g}", RanMask.training(shared.finetune, rate))
        return CertificationRow(name, (base,), lambda model: RanMask(model, masking, model.tokenizer))
    deleting = RsDelOptions(rate=rate, draws=shared.draws, alpha=shared.alpha, seed=shared.seed)
    bases = _deletion_bases(kind, rate, shared)
    if kind in ("rs-del", "deletion-sampled"):
        return CertificationRow(name, bases, lambda model: RsDel(model, deleting))
    return CertificationRow(name, bases, lambda model: HybridDeletion(model, deleting))


def _window_bases(name: str, shared: Shared) -> tuple[Base, ...]:
    def score(model: HuggingFaceClassifier, held_out: Dataset) -> Callable[[Offsets], Score]:
        return window_score(model, held_out, shared.longest)

    plain, trained = Base(PLAIN, shared.finetune), Base("windows-trained", shared.windows, PLAIN)
    if name == "windows-plain":
        return (plain,)
    if name == "windows-offsets":
        return plain, Base(name, score, PLAIN)
    return (plain, trained) if name == trained.name else (plain, trained, Base(name, score, trained.name))


def _deletion_bases(kind: str, rate: float, shared: Shared) -> tuple[Base, ...]:
    def score(model: HuggingFaceClassifier, held_out: Dataset) -> Callable[[Offsets], Score]:
        return deletion_score(model, held_out, rate, seed=shared.seed, alpha=shared.alpha, draws=shared.draws)

    if kind in ("rs-del", "rs-del-hybrid"):
        return (Base(f"rs-del-{rate:g}", RsDel.training(shared.finetune, rate)),)
    trained = Base(f"deletion-trained-{rate:g}", shared.deletion.replace(text_rate=rate), PLAIN)
    bases = Base(PLAIN, shared.finetune), trained
    if kind == "deletion-trained":
        return bases
    return (*bases, Base(f"deletion-{rate:g}", score, trained.name))


def _rate(name: str, written: str) -> float:
    try:
        rate = float(written)
    except ValueError as error:
        raise FuzzsmoothError(f"row '{name}' needs a rate, as in '{name.partition(':')[0]}:0.9'") from error
    if not 0 < rate < 1:
        raise FuzzsmoothError(f"the rate of row '{name}' must lie strictly between 0 and 1")
    return rate
