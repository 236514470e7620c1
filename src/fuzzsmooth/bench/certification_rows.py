"""The rows of the certified-accuracy experiment: which defense certifies, on which fine-tuned model.

What certifies is what users run, with its rounding band.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fuzzsmooth import training
from fuzzsmooth.bench.catalog import KINDS
from fuzzsmooth.bench.certifying import Certifier, by_scattered, by_vote, by_windows
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import described
from fuzzsmooth.data import Dataset
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.defenses.deletion import DeletionOptions
from fuzzsmooth.defenses.windows import Windows
from fuzzsmooth.engine.options import THREATS
from fuzzsmooth.training import FinetuneOptions

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier
    from fuzzsmooth.training import Offsets, Score

PLAIN = "plain"
"""The model that is fine-tuned plainly, which others may start from."""


Scorer = Callable[["HuggingFaceClassifier", Dataset], Callable[["Offsets"], "Score"]]
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
        finetune: Fine-tuning of the plain model, which all others start from.
        deletion: Fine-tuning under deletion, of RS-Del and ours alike; its rate is the row's.
        masking: Fine-tuning under masking, of RanMASK; its rate is the row's.
        windows: Our fine-tuning for windows.
        draws: Copies of a text.
        alpha: Probability that a certificate is wrong, per text.
        longest: Longest contiguous trigger, in words.
        seed: Seed of training and draws.
    """

    finetune: FinetuneOptions
    deletion: FinetuneOptions
    masking: FinetuneOptions
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


def certification_row(name: str, shared: Shared) -> CertificationRow:
    """The row of a name such as "rs-del:0.9", "windows", or of a registered defense.

    Raises:
        FuzzsmoothError: If there is no such row or its rate is none.
    """
    kind, _, written = name.partition(":")
    plain = Base(PLAIN, shared.finetune)
    if name == "scattered":
        return CertificationRow(name, (plain,), lambda model: by_scattered(_windows(model, shared)))
    if name in KINDS:
        bases = _window_bases(name, shared)
        return CertificationRow(
            name, bases, lambda model: by_windows(_windows(model, shared), shared.longest)
        )
    if kind in ("deletion-kept", "deletion-kept-unsure"):
        return _kept_row(name, kind, written, shared)
    if f"{kind}:RATE" not in KINDS:
        return _defense_row(name, shared)
    rate = _rate(name, written)
    votes = {"rate": rate, "draws": shared.draws, "alpha": shared.alpha, "seed": shared.seed}
    if kind == "ranmask":
        masked = shared.masking.replace(text_rate=rate)
        bases = plain, Base(f"ranmask-{rate:g}", masked, PLAIN)
        return CertificationRow(name, bases, _voting("ranmask", votes))
    bases = _deletion_bases(kind, rate, shared)
    if kind in ("rs-del", "deletion-sampled"):
        return CertificationRow(name, bases, _voting("rs_del", votes))
    awaited = ("edit", "insert") if kind == "deletion-early" else THREATS
    return CertificationRow(name, bases, _voting("deletion", votes | _ours(kind) | {"awaited": awaited}))


_UNSURE: Final = 0.1
"""Chosen on training texts that were held out: SST-2, rate .9."""


def _ours(kind: str) -> dict[str, Any]:
    """What the rows of our deletion share, and the margin of those of unsure answers."""
    options = {"fuzzing": False, "sigma": 0.0, "statistics": "auto"}
    return options | ({"unsure_margin": _UNSURE} if kind.endswith("-unsure") else {})


def _kept_row(name: str, kind: str, written: str, shared: Shared) -> CertificationRow:
    """Our deletion at rates by length, on a model that is fine-tuned at these."""
    units = _number(written)
    if units is None or not 0 < units <= 1000:
        raise FuzzsmoothError(f"row '{name}' needs the units to keep, above 0, as in 'deletion-kept:2'")
    votes = {"kept_units": units, "draws": shared.draws, "alpha": shared.alpha, "seed": shared.seed}
    given = votes | _ours(kind) | {"awaited": THREATS}
    changes = DEFENSES.get("deletion").training(DeletionOptions.from_mapping(given))
    trained = Base(f"deletion-kept-{units:g}", shared.deletion.replace(**changes), PLAIN)
    return CertificationRow(name, (Base(PLAIN, shared.finetune), trained), _voting("deletion", given))


def _defense_row(name: str, shared: Shared) -> CertificationRow:
    """Any other registered defense under its default options, on a victim fine-tuned as it wants."""
    if name not in DEFENSES.all():
        raise FuzzsmoothError(f"unknown row '{name}'; known: {', '.join([*KINDS, *DEFENSES.all()])}")
    kind = DEFENSES.get(name)
    values = {"draws": shared.draws, "alpha": shared.alpha, "seed": shared.seed}
    known = {option.name for option in described(kind.options_type)}
    given = {key: value for key, value in values.items() if key in known}
    options = kind.options_type.from_mapping(given)
    plain, changes = Base(PLAIN, shared.finetune), dict(kind.training(options))
    bases = (plain, Base(name, shared.finetune.replace(**changes), PLAIN)) if changes else (plain,)
    return CertificationRow(name, bases, _voting(name, given))


def _voting(defense: str, options: Mapping[str, Any]) -> Callable[[HuggingFaceClassifier], Certifier]:
    return lambda model: by_vote(DEFENSES.get(defense)(model, options))


def _windows(model: HuggingFaceClassifier, shared: Shared) -> Windows:
    return Windows(model, {"fuzzing": False, "passes": None, "seed": shared.seed})


def _window_bases(name: str, shared: Shared) -> tuple[Base, ...]:
    def score(model: HuggingFaceClassifier, held_out: Dataset) -> Callable[[Offsets], Score]:
        return training.window_score(model, held_out, shared.longest)

    plain, trained = Base(PLAIN, shared.finetune), Base("windows-trained", shared.windows, PLAIN)
    if name == "windows-plain":
        return (plain,)
    if name == "windows-offsets":
        return plain, Base(name, score, PLAIN)
    return (plain, trained) if name == trained.name else (plain, trained, Base(name, score, trained.name))


def _deletion_bases(kind: str, rate: float, shared: Shared) -> tuple[Base, ...]:
    def score(model: HuggingFaceClassifier, held_out: Dataset) -> Callable[[Offsets], Score]:
        return training.deletion_score(
            model, held_out, rate, seed=shared.seed, alpha=shared.alpha, draws=shared.draws
        )

    plain, trained = Base(PLAIN, shared.finetune), shared.deletion.replace(text_rate=rate)
    bases = plain, Base(f"deletion-trained-{rate:g}", trained, PLAIN)
    if kind not in ("deletion", "deletion-sampled"):
        return bases
    return (*bases, Base(f"deletion-{rate:g}", score, bases[-1].name))


def _rate(name: str, written: str) -> float:
    rate = _number(written)
    if rate is None:
        raise FuzzsmoothError(f"row '{name}' needs a rate, as in '{name.partition(':')[0]}:0.9'")
    if not 0 < rate < 1:
        raise FuzzsmoothError(f"the rate of row '{name}' must lie strictly between 0 and 1")
    return rate


def _number(written: str) -> float | None:
    """A number, or None for what is none."""
    try:
        return float(written)
    except ValueError:
        return None
