"""The sampler that certificates are issued with: its rounding band, and who decides inside of it.

A model in bfloat16 is fast and rounds coarsely. Its answers outside the band are taken for those of float32;
the few inside are rechecked in float32, so that the certificate is about the float32 function at nearly the
speed of bfloat16 and without its losses. Predictions ask the same way. The band is an estimate, so such
certificates are conditional on it (:attr:`fuzzsmooth.certify.Rounding.condition`); in float32 they are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fuzzsmooth.certify import Rounding
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.engine.options import EngineOptions
from fuzzsmooth.engine.rounding_band import measure_rounding_band
from fuzzsmooth.engine.sampler import Sampler
from fuzzsmooth.models.protocol import Classifier, TokenClassifier

_TEXTS = 16  # a maximum over more of them grows with the logarithm of their number
_DELETED = (0.0, 0.5, 0.9)  # short remainders take other kernels than whole texts do


class CertificateSampler:
    """Turns the sampler of predictions into that of certificates.

    The band is measured when it is first needed and anew for another sampler or other weights; a fresh
    sampler remembers nothing of the old band.

    Args:
        options: The band, if it is given, and whether to recheck.
        takes_any: Whether predictions take any answer for what no proof needs.
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
            sampler: The sampler of predictions, without a band.
        """
        fingerprint = sampler.classifier.fingerprint
        if self._of is None or self._of[0] is not sampler or self._of[1] != fingerprint:
            self._settled = settle_rounding(sampler, self._options)
            self._of = sampler, fingerprint
        return self._settled

    def answering(self, sampler: Sampler) -> Sampler:
        """The sampler whose answers are given: those of the function that certificates are about.

        In float32 that is the sampler itself. A coarser type whose deviations were measured is asked as for
        certificates; what the recheck decides is taken as it is, and what nobody decides is no vote, unless
        any answer will do.

        Args:
            sampler: As in :meth:`settle`.
        """
        if not isinstance(sampler.classifier, TokenClassifier) or not _is_coarse(sampler.classifier):
            return sampler
        settled, rounding = self.settle(sampler)
        if rounding.function != "float32" or (settled.recheck is None and self._takes_any):
            return sampler
        if self._answering is None or self._answering[0] is not settled:
            taken = settled if settled.recheck is None else replace(settled, recheck_band=0.0)
            self._answering = settled, taken
        return self._answering[1]


def in_float32(classifier: Classifier) -> Classifier:
    """The same classifier in float32 and, where it is to be had, in fixed shapes; itself if it is that."""
    return classifier.reproducible() if isinstance(classifier, TokenClassifier) else classifier


def steady(classifier: Classifier, *, few: bool = False) -> Classifier:
    """The same classifier at its own precision; in float32, where that is to be had, in fixed shapes.

    Then its answer to a text does not depend, to the last digit, on what else it is asked about.

    Args:
        classifier: The classifier.
        few: Whether it is asked about few texts at a time, of many lengths.
    """
    if not isinstance(classifier, TokenClassifier) or _is_coarse(classifier):
        return classifier
    alone = getattr(classifier, "one_by_one", None) if few else None
    found: Classifier = classifier.reproducible() if alone is None else alone()
    return found


def _is_coarse(classifier: TokenClassifier) -> bool:
    return classifier.precision not in ("", "float32")


def settle_rounding(sampler: Sampler, options: EngineOptions) -> tuple[Sampler, Rounding]:
    """Choose the band of a sampler, and who decides inside of it.

    Args:
        sampler: Without a band.
        options: The band, if it is given, and whether to recheck.

    Returns:
        The sampler with both, itself where there is neither, and what they are.
    """
    classifier, given = sampler.classifier, options.guard
    if not isinstance(classifier, TokenClassifier):
        rounding = Rounding(precision="", function="", guard=given or 0.0, measured=False)
        return replace(sampler, band=given) if given else sampler, rounding
    fixed = classifier.fixed_shapes and sampler.noise is None
    exact = classifier.reproducible() if _is_coarse(classifier) else None
    measured = given is None and not fixed and classifier.precision != ""
    band = _measured(classifier, exact, sampler) if measured else given or 0.0
    # Of a band that was given nobody knows whether float32 lies within it, so nothing is claimed about that.
    about_float32 = exact is not None and measured
    recheck = exact if about_float32 and sampler.noise is None and options.recheck and band > 0 else None
    recheck_band = 0.0 if recheck is None or recheck.fixed_shapes else _measured(recheck, None, sampler)
    rounding = Rounding(
        precision=classifier.precision,
        function="float32" if about_float32 else classifier.precision,
        batches="fixed" if fixed else "shared",
        guard=band,
        measured=measured,
        undecided="counted against" if recheck is None else "rechecked",
        recheck_guard=recheck_band,
    )
    if band == 0:
        return sampler, rounding
    return replace(sampler, band=band, recheck=recheck, recheck_band=recheck_band), rounding


def _measured(classifier: TokenClassifier, reference: TokenClassifier | None, sampler: Sampler) -> float:
    """The rounding band of a classifier under the sampler's noise, rounded up to two digits.

    It is a property of the model and the machine, not of the texts that are certified, so it is measured on
    other ones: of the built-in corpus and of words of the model's vocabulary, whole and with words deleted.
    """
    texts, noise, seed = _band_texts(classifier.tokenizer), sampler.noise, sampler.seed
    return _rounded_up(
        measure_rounding_band(
            classifier, texts, reference=reference, noise=noise, seed=seed, copies=sampler.copy_seeds
        )
    )


def _band_texts(tokenizer: Any) -> Sequence[str]:
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
