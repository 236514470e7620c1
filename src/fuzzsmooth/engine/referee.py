"""The sampler that certificates are issued with: its guard band, and who decides inside of it.

A model in bfloat16 is fast and rounds coarsely. Its answers outside the guard band are taken for those of
float32; the few inside are asked again in float32, so that the certificate is about the float32 function at
nearly the speed of bfloat16 and without its losses. Predictions ask the same way. The band is an estimate, so
such certificates are conditional on it (:attr:`fuzzsmooth.certify.Rounding.condition`); in float32 they are
not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from fuzzsmooth.certify import Rounding
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.engine.guard import Measurable, measure_guard_band
from fuzzsmooth.engine.options import EngineOptions
from fuzzsmooth.engine.sampler import Sampler
from fuzzsmooth.engine.tokens import TokenClassifier
from fuzzsmooth.models.protocol import Classifier

if TYPE_CHECKING:
    from fuzzsmooth.models.devices import Precision  # torch is not imported before a model is loaded

_TEXTS = 16  # a maximum over more of them grows with the logarithm of their number
_DELETED = (0.0, 0.5, 0.9)  # short remainders take other kernels than whole texts do


@runtime_checkable
class _Typed(TokenClassifier, Measurable, Protocol):
    """A classifier that can be measured and computes in a chosen number type."""

    @property
    def precision(self) -> Precision:
        """Number type of the passes."""
        ...

    def in_precision(self, precision: Precision) -> TokenClassifier:
        """The same classifier with another number type."""
        ...


class CertificateSampler:
    """Turns the sampler of predictions into that of certificates.

    The guard band is measured when it is first needed and anew for another sampler or other weights; a fresh
    sampler remembers nothing of the old band.

    Args:
        options: Guard band, if it is given, and whether to recheck.
        takes_any: Whether predictions may take any answer inside the band, as no proof needs it.
    """

    def __init__(self, options: EngineOptions, *, takes_any: bool = False) -> None:
        self._options = options
        self._takes_any = takes_any
        self._of: tuple[Sampler, str] | None = None
        self._answering: tuple[Sampler, Sampler] | None = None
        self._settled: tuple[Sampler, Rounding]

    def settle(self, sampler: Sampler) -> tuple[Sampler, Rounding]:
        """The sampler of certificates, and what it does about rounding.

        Args:
            sampler: The sampler of predictions, without a guard band.
        """
        state = (sampler, sampler.classifier.fingerprint)
        if self._of is None or self._of[0] is not sampler or self._of[1] != state[1]:
            self._settled = settle_rounding(sampler, self._options)
            self._of = state
        return self._settled

    def answering(self, sampler: Sampler) -> Sampler:
        """The sampler whose answers are given: those of the function that certificates are about.

        In float32 that is the sampler itself. A coarser type whose deviations were measured is asked as for
        certificates; what the referee decides is taken as it is, and what nobody decides is no vote, but
        where any answer will do for what no proof needs.

        Args:
            sampler: As in :meth:`settle`.
        """
        if not isinstance(sampler.classifier, _Typed) or sampler.classifier.precision == "float32":
            return sampler
        settled, rounding = self.settle(sampler)
        if rounding.function != "float32" or (settled.referee is None and self._takes_any):
            return sampler
        if self._answering is None or self._answering[0] is not settled:
            taken = settled if settled.referee is None else replace(settled, referee_guard=0.0)
            self._answering = settled, taken
        return self._answering[1]


@runtime_checkable
class _Reproducible(Protocol):
    """A classifier that may be evaluated in batches of fixed shapes."""

    @property
    def fixed_shapes(self) -> bool:
        """Whether it is: then an answer is a function of the text alone, bit by bit."""
        ...

    def reproducible(self) -> Classifier:
        """The same classifier in float32 and, where it is to be had, in fixed shapes."""
        ...


def in_float32(classifier: Classifier) -> Classifier:
    """The same classifier in float32 and, where it is to be had, in fixed shapes; itself if it is that."""
    if isinstance(classifier, _Reproducible) and not classifier.fixed_shapes:
        exact = classifier.reproducible()
        if has_fixed_shapes(exact):
            return exact
    if not isinstance(classifier, _Typed) or classifier.precision == "float32":
        return classifier
    return cast(Classifier, classifier.in_precision("float32"))


def has_fixed_shapes(classifier: object) -> bool:
    """Whether an answer of the classifier is a function of the text alone, bit by bit."""
    return isinstance(classifier, _Reproducible) and classifier.fixed_shapes


def settle_rounding(sampler: Sampler, options: EngineOptions) -> tuple[Sampler, Rounding]:
    """Choose guard band and referee for a sampler.

    Args:
        sampler: Without a guard band.
        options: Guard band, if it is given, and whether to recheck.

    Returns:
        The sampler with both, itself where there is neither, and what they are.
    """
    classifier = sampler.classifier
    precision: str = classifier.precision if isinstance(classifier, _Typed) else ""
    fixed = has_fixed_shapes(classifier) and sampler.noise is None
    exact = cast(_Typed, in_float32(classifier)) if precision not in ("", "float32") else None
    guard, measured = options.guard, False
    if guard is None:
        measured = isinstance(classifier, Measurable) and not fixed
        guard = _measured(cast(Measurable, classifier), exact, sampler) if measured else 0.0
    # Of a band that was given nobody knows whether float32 lies within it, so nothing is claimed about that.
    about_float32 = exact is not None and measured
    rechecks = about_float32 and sampler.noise is None and options.recheck and guard > 0
    certain = not rechecks or has_fixed_shapes(exact)
    referee_guard = 0.0 if certain else _measured(cast(Measurable, exact), None, sampler)
    rounding = Rounding(
        precision=precision,
        function="float32" if about_float32 else precision,
        batches="fixed" if fixed else "shared",
        guard=guard,
        measured=measured,
        undecided="rechecked" if rechecks else "counted against",
        recheck_guard=referee_guard,
    )
    if guard == 0:
        return sampler, rounding
    referee = exact if rechecks else None
    return replace(sampler, guard=guard, referee=referee, referee_guard=referee_guard), rounding


def _measured(classifier: Measurable, reference: Measurable | None, sampler: Sampler) -> float:
    """The guard band of a classifier under the sampler's noise, rounded up to two digits.

    It is a property of the model and the machine, not of the texts that are certified, so it is measured on
    other ones: of the built-in corpus and of words of the model's vocabulary, whole and with words deleted.
    """
    texts = _guard_texts(getattr(sampler.classifier, "tokenizer", None))
    found = measure_guard_band(classifier, texts, reference=reference, noise=sampler.noise, seed=sampler.seed)
    return _rounded_up(found)


def _guard_texts(tokenizer: Any) -> Sequence[str]:
    from fuzzsmooth.data import load_splits

    source = generator(0, "guard band texts")
    texts = list(load_splits("builtin:reviews", train_size=_TEXTS, test_size=2).train.texts)
    vocabulary = sorted(token for token in tokenizer.get_vocab() if token.isalnum()) if tokenizer else []
    if vocabulary:  # a model of another language or trade knows no word of the corpus
        texts[::2] = [" ".join(source.choice(vocabulary, len(text.split()))) for text in texts[::2]]
    return [
        " ".join(word for word in text.split() if source.random() >= rate)
        for rate in _DELETED
        for text in texts
    ]


def _rounded_up(value: float) -> float:
    """To two significant digits: the rest of a maximum over a sample says nothing."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    # The product may round below the value by one unit in the last place, which the next step makes up for.
    found = float(f"{math.ceil(value / unit) * unit:.2g}")
    return found if found >= value else float(f"{(math.ceil(value / unit) + 1) * unit:.2g}")
