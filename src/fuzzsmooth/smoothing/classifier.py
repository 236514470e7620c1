"""The smoothed classifier: Fuzzed Randomized Smoothing as published, and its certified forms."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.fuzz.references import References
from fuzzsmooth.fuzz.scan import Scan, Scanner
from fuzzsmooth.models.protocol import Classifier, NoisyClassifier, WeightNoise
from fuzzsmooth.noise.text import TextKernel, area_rates, text_kernel, uniform_rates
from fuzzsmooth.smoothing.beside import references_beside
from fuzzsmooth.smoothing.certificates import Issuer
from fuzzsmooth.smoothing.evidence import SampledSource, undivided
from fuzzsmooth.smoothing.fixed import fixed_evidence
from fuzzsmooth.smoothing.fuzzers import Fuzzer, SearchFuzzer, TypeFuzzer, Units
from fuzzsmooth.smoothing.options import SmoothingOptions
from fuzzsmooth.smoothing.referee import CertificateSampler, in_float32
from fuzzsmooth.smoothing.results import Certification, Prediction
from fuzzsmooth.smoothing.sampler import Plan, Sampler
from fuzzsmooth.smoothing.statistics import gather_evidence
from fuzzsmooth.smoothing.vote_certificates import costs, vote_certificates
from fuzzsmooth.smoothing.weighted import TypeRates, rate_table, unit_rates
from fuzzsmooth.smoothing.window_answers import window_certifications, window_predictions
from fuzzsmooth.smoothing.windows import WindowAblation
from fuzzsmooth.text.units import segmenter

Advance = Callable[[int], None]


class SmoothedClassifier:
    """A classifier whose answers are votes over randomized texts and noisy parameters.

    Args:
        classifier: The suspect classifier, as :func:`fuzzsmooth.load_classifier` gives it; any callable
            wrapped in :class:`fuzzsmooth.models.CallableClassifier` will do if ``options.sigma`` is 0.
        options: The smoothing options.
        references: Clean reference texts for the transplant test of the search.
        rates: Deletion rates per unit type for mode "certified"; by default all types have
            ``options.rate``.

    Raises:
        FuzzsmoothError: If parameter noise is asked for and the classifier has no parameters here, or the
            search needs references and has none, or the rates are those of another model.
    """

    def __init__(
        self,
        classifier: Classifier,
        options: SmoothingOptions,
        references: References | None = None,
        *,
        rates: TypeRates | None = None,
    ) -> None:
        noisy = options.sigma > 0 and options.mode != "windows"
        self.classifier = classifier = _with_noise(classifier) if noisy else classifier
        self.options = options
        self._segmenter = segmenter(options.unit, getattr(classifier, "tokenizer", None))
        self._references = references
        self._rates = rates
        if rates is not None:
            _check_rates(rates, classifier, options)
        self._scanner = self._make_scanner() if options.fuzzing else None
        # Predictions take every draw as computed; certificates keep a distance from rounding.
        self._sampler = Sampler(
            classifier=classifier,
            segmenter=self._segmenter,
            kernel=self._make_kernel(),
            noise=WeightNoise(options.sigma, options.top_layers) if noisy else None,
            fuzzer=self._make_fuzzer(),
            seed=options.seed,
        )
        self._certifying = CertificateSampler(options)

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str],
        options: SmoothingOptions | None = None,
        *,
        references: References | None = None,
        rates: TypeRates | None = None,
        **loading: Any,
    ) -> SmoothedClassifier:
        """Load a model safely and smooth it.

        Args:
            model: A local folder, a hub name, or ``builtin:minilm``.
            options: The smoothing options; the defaults if omitted.
            references: Clean reference texts; by default those saved beside the weights of a local folder,
                which whoever wrote the folder has chosen: give your own for a model that you downloaded.
            rates: Deletion rates per unit type, see the class.
            **loading: Passed to :func:`fuzzsmooth.models.load_classifier` (precision, device, ...).

        Raises:
            FuzzsmoothError: As :func:`fuzzsmooth.models.load_classifier`, for missing references, or for a
                hub model that is to be searched without references of your own.
        """
        from fuzzsmooth.models import load_classifier

        name, options = os.fspath(model), options or SmoothingOptions()
        classifier = load_classifier(name, **loading)
        if references is None:
            references = references_beside(name, options)
        return cls(classifier, options, references, rates=rates)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of votes and label indices."""
        return self.classifier.labels

    def scan(self, texts: Sequence[str], advance: Advance | None = None) -> list[Scan]:
        """Find the vulnerable segments of each text; see :class:`fuzzsmooth.fuzz.Scan`.

        Args:
            texts: The texts as received.
            advance: Told how many texts have just been finished, for a progress bar.
        """
        _check_texts(texts)
        scanner = self._scanner or self._make_scanner()
        return scanner.scan(texts, self.options.seed, advance)

    def predict(
        self, texts: Sequence[str], *, scans: Sequence[Scan] | None = None, advance: Advance | None = None
    ) -> list[Prediction]:
        """The majority label of K draws for each text; in mode "windows" the answer of the procedure.

        Args:
            texts: The texts as received.
            scans: Their scans, where they were made before; made here otherwise.
            advance: Told how many texts have just been finished, for a progress bar.
        """
        if self.options.mode == "windows":
            _, plans, _ = self._plans(texts, None)
            found = WindowAblation(self.options, self._sampler).predict(plans, advance)
            return window_predictions(found, self._truncated(texts), self.labels)
        scans, plans, _ = self._plans(texts, scans)
        draws = range(self.options.copies)
        votes = self._sampler.votes(plans, draws, "predict", advance)
        truncated = self._truncated(texts)
        results = []
        for index, counts in enumerate(votes):
            label = int(counts.argmax())
            results.append(
                Prediction(
                    label,
                    self.labels[label],
                    float(counts[label] / len(draws)),
                    tuple(int(count) for count in counts),
                    truncated[index],
                    scans[index] if scans else None,
                )
            )
        return results

    def certify(
        self, texts: Sequence[str], *, scans: Sequence[Scan] | None = None, advance: Advance | None = None
    ) -> list[Certification]:
        """A certified answer for each text, or ABSTAIN.

        Mode "frs" bounds its K votes and gives the paper's radius, ``conditional`` on the search having
        caught the trigger. Mode "certified" takes up to ``options.draws`` fresh draws, independent of those
        of :meth:`predict`, and gives ``proved`` radii. Mode "windows" draws nothing; what it proves is
        certain.

        Args:
            texts: The texts as received.
            scans: Their scans (mode "frs"), where they were made before; made here otherwise.
            advance: Told how many texts have just been finished, for a progress bar.
        """
        options = self.options
        scans, plans, listed = self._plans(texts, scans)
        sampler, rounding = self._certifying.settle(self._sampler)
        if options.mode == "windows":
            windows = WindowAblation(options, sampler, rounding)
            ablated = windows.certify(plans, advance)
            return window_certifications(windows, ablated, plans, self._truncated(texts))
        if options.mode == "certified":
            evidence = gather_evidence(
                plans, sampler, options, weighted=self._rates is not None, advance=advance
            )
        else:
            lengths = [len(plan.units) for plan in plans]
            cases = undivided(lengths, draws=options.copies, classes=len(self.labels))
            source = SampledSource(plans, sampler)
            evidence = fixed_evidence(source, cases, alpha=options.alpha, advance=advance)
        truncated, issuer = self._truncated(texts), Issuer(options, self.classifier, rounding)
        results = []
        for index, (plan, found) in enumerate(zip(plans, evidence, strict=True)):
            table = None if self._rates is None else rate_table(listed, options.rate)
            certificates = vote_certificates(found, issuer, plan, table)
            main = certificates[0]
            results.append(
                Certification(
                    main.label,
                    main.label_name,
                    certificates,
                    found.counts,
                    truncated[index],
                    scans[index] if scans else None,
                    "answered" if main.label is not None else "abstain",
                    found.passes,
                    found.statistics,
                    {} if table is None else costs(table, plan.units),
                )
            )
        return results

    def _plans(
        self, texts: Sequence[str], scans: Sequence[Scan] | None
    ) -> tuple[Sequence[Scan] | None, list[Plan], dict[str, float]]:
        """How each text is to be randomized; only mode "frs" looks at the text for it.

        Returns:
            The scans that were used, the plans, and the unit types of these texts with a rate of their own.
        """
        options = self.options
        if scans is not None and len(scans) != len(texts):
            raise FuzzsmoothError(f"{len(scans)} scans for {len(texts)} texts; give one scan per text")
        cut = self._cut(texts)
        listed: dict[str, float] = {}
        if options.mode == "certified":
            if self._rates is not None:
                listed = self._rates.listed(cut, options.rate_flagged)
            rates = [unit_rates(units, listed, options.rate) for units in cut]
            scans = None
        elif options.mode == "windows" or not options.fuzzing:
            rates = [uniform_rates(len(units), options.rate_uniform) for units in cut]
            scans = None
        else:
            scans = self.scan(texts) if scans is None else scans
            rates = [
                area_rates(len(units), scan.units, options.rate_high, options.rate_low)
                for units, scan in zip(cut, scans, strict=True)
            ]
        plans = [
            Plan(text_key(text), units, rate) for text, units, rate in zip(texts, cut, rates, strict=True)
        ]
        return scans, plans, listed

    def _cut(self, texts: Sequence[str]) -> list[Units]:
        _check_texts(texts)
        return [self._segmenter.segment(text).units for text in texts]

    def _make_fuzzer(self) -> Fuzzer | None:
        """What follows deletion in the modes that delete first."""
        if self._scanner is None or self.options.mode == "frs":
            return None
        if self.options.fuzz_left == "search":
            require(
                self.options.mode != "windows",
                "mode 'windows' draws nothing: set fuzz_left to 'types', or turn fuzzing off",
            )
            return SearchFuzzer(self._scanner)
        if self._rates is not None and self._rates.fill:
            return TypeFuzzer(self._rates.table)
        return TypeFuzzer(self._scanner.table())

    def _make_kernel(self) -> TextKernel:
        if self.options.noise == "mask" and self.options.mode == "frs":
            mask = getattr(getattr(self.classifier, "tokenizer", None), "mask_token", None)
            return text_kernel("masking", mask=mask or "[MASK]")
        return text_kernel("deletion")

    def _make_scanner(self) -> Scanner:
        # Where the search is part of what is certified, it must be as exact as the answers.
        certified = self.options.mode != "frs"
        classifier = in_float32(self.classifier) if certified else self.classifier
        return Scanner(classifier, self.options.search, self._segmenter, self._references)

    def _truncated(self, texts: Sequence[str]) -> list[bool]:
        check = getattr(self.classifier, "truncated", None)
        return list(check(texts)) if check is not None else [False] * len(texts)


def _with_noise(classifier: Classifier) -> NoisyClassifier:
    """The classifier as one that can be evaluated under parameter noise.

    Raises:
        FuzzsmoothError: If it has no parameters here.
    """
    if isinstance(classifier, NoisyClassifier):
        return classifier
    # Imported here: a callable classifier needs no torch.
    from fuzzsmooth.models.huggingface import HuggingFaceClassifier
    from fuzzsmooth.smoothing.noisy import NoisyHuggingFaceClassifier

    if isinstance(classifier, HuggingFaceClassifier):
        return NoisyHuggingFaceClassifier(classifier)
    raise FuzzsmoothError(
        "parameter noise needs a local Hugging Face model; set sigma=0 to smooth this "
        "classifier by its texts alone"
    )


def _check_rates(rates: TypeRates, classifier: Classifier, options: SmoothingOptions) -> None:
    rates.check_model(classifier)
    require(options.mode == "certified", "a table of rates per type is for mode 'certified'")
    require(
        options.weight_distance is None,
        "a weight distance needs one rate for all types; leave out the table or the distance",
    )


def _check_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise FuzzsmoothError("expected a list of texts, got one string; put it into a list")
