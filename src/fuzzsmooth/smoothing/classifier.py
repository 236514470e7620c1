"""The smoothed classifier: Fuzzed Randomized Smoothing as published, and its certified form."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from fuzzsmooth.certify.bounds import selection_draws
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.fuzz.references import References
from fuzzsmooth.fuzz.scan import Scan, Scanner
from fuzzsmooth.models.protocol import Classifier, NoisyClassifier, WeightNoise
from fuzzsmooth.noise.text import TextKernel, area_rates, text_kernel, uniform_rates
from fuzzsmooth.smoothing.beside import references_beside
from fuzzsmooth.smoothing.certificates import Evidence, certified_certificates, frs_certificates
from fuzzsmooth.smoothing.fuzzers import Fuzzer, SearchFuzzer, TypeFuzzer
from fuzzsmooth.smoothing.options import SmoothingOptions
from fuzzsmooth.smoothing.results import Certification, Prediction
from fuzzsmooth.smoothing.sampler import Plan, Sampler, Votes
from fuzzsmooth.text.units import segmenter

Advance = Callable[[int], None]


class SmoothedClassifier:
    """A classifier whose answers are votes over randomized texts and noisy parameters.

    Args:
        classifier: The suspect classifier; any callable wrapped in
            :class:`fuzzsmooth.models.CallableClassifier` will do if ``options.sigma`` is 0.
        options: The smoothing options.
        references: Clean reference texts for the transplant test of the search.

    Raises:
        FuzzsmoothError: If parameter noise is asked for and the classifier has no parameters here, or the
            search needs references and has none.
    """

    def __init__(
        self, classifier: Classifier, options: SmoothingOptions, references: References | None = None
    ) -> None:
        if options.sigma > 0 and not isinstance(classifier, NoisyClassifier):
            raise FuzzsmoothError(
                "parameter noise needs a local Hugging Face model; set sigma=0 to smooth this "
                "classifier by its texts alone"
            )
        self.classifier = classifier
        self.options = options
        self._segmenter = segmenter(options.unit, getattr(classifier, "tokenizer", None))
        self._references = references
        self._scanner = self._make_scanner() if options.fuzzing else None
        self._sampler = Sampler(
            classifier=classifier,
            segmenter=self._segmenter,
            kernel=self._make_kernel(),
            noise=WeightNoise(options.sigma, options.top_layers) if options.sigma > 0 else None,
            fuzzer=self._make_fuzzer(),
            seed=options.seed,
        )

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str],
        options: SmoothingOptions | None = None,
        *,
        references: References | None = None,
        **loading: Any,
    ) -> SmoothedClassifier:
        """Load a model safely and smooth it.

        Args:
            model: A local folder, a hub name, or ``builtin:minilm``.
            options: The smoothing options; the defaults if omitted.
            references: Clean reference texts; by default those saved beside the weights of a local folder,
                which whoever wrote the folder has chosen: give your own for a model that you downloaded.
            **loading: Passed to :func:`fuzzsmooth.models.load_classifier` (precision, device, ...).

        Raises:
            FuzzsmoothError: As :func:`fuzzsmooth.models.load_classifier`, for missing references, or for a
                hub model that is to be searched without references of your own.
        """
        from fuzzsmooth.models import load_classifier
        from fuzzsmooth.smoothing.noisy import NoisyHuggingFaceClassifier

        name, options = os.fspath(model), options or SmoothingOptions()
        classifier = NoisyHuggingFaceClassifier(load_classifier(name, **loading))
        if references is None:
            references = references_beside(name, options)
        return cls(classifier, options, references)

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
        """The majority label of K draws for each text.

        Args:
            texts: The texts as received.
            scans: Their scans, where they were made before; made here otherwise.
            advance: Told how many texts have just been finished, for a progress bar.
        """
        scans, plans = self._plans(texts, scans)
        votes = self._sampler.votes(plans, range(self.options.copies), "predict", advance)
        truncated = self._truncated(texts)
        results = []
        for index, counts in enumerate(votes):
            label = int(counts.argmax())
            share = float(counts[label] / counts.sum())
            results.append(
                Prediction(
                    label,
                    self.labels[label],
                    share,
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
        caught the trigger. Mode "certified" takes ``options.draws`` fresh draws, independent of those of
        :meth:`predict`, and gives ``proved`` radii.

        Args:
            texts: The texts as received.
            scans: Their scans (mode "frs"), where they were made before; made here otherwise.
            advance: Told how many texts have just been finished, for a progress bar.
        """
        options = self.options
        scans, plans = self._plans(texts, scans)
        draws = options.draws if options.mode == "certified" else options.copies
        selecting = min(selection_draws(draws, len(self.labels)), draws - 1)
        selection: Votes | None = None
        if selecting:
            selection = self._sampler.votes(plans, range(selecting), "certify")
        votes = self._sampler.votes(plans, range(selecting, draws), "certify", advance)
        truncated = self._truncated(texts)
        build = certified_certificates if options.mode == "certified" else frs_certificates
        results = []
        for index, plan in enumerate(plans):
            first = votes[index] if selection is None else selection[index]
            evidence = Evidence.from_votes(first, None if selection is None else votes[index], options.alpha)
            certificates = build(evidence, options, self.classifier, len(plan.units))
            main = certificates[0]
            results.append(
                Certification(
                    main.label,
                    main.label_name,
                    certificates,
                    evidence.counts,
                    truncated[index],
                    scans[index] if scans else None,
                )
            )
        return results

    def _plans(
        self, texts: Sequence[str], scans: Sequence[Scan] | None
    ) -> tuple[Sequence[Scan] | None, list[Plan]]:
        """How each text is to be randomized; only mode "frs" looks at the text for it."""
        options = self.options
        _check_texts(texts)
        if scans is not None and len(scans) != len(texts):
            raise FuzzsmoothError(f"{len(scans)} scans for {len(texts)} texts; give one scan per text")
        cut = [self._segmenter.segment(text).units for text in texts]
        if options.mode == "certified":
            rates = [uniform_rates(len(units), options.rate) for units in cut]
            scans = None
        elif not options.fuzzing:
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
        return scans, plans

    def _make_fuzzer(self) -> Fuzzer | None:
        """What follows deletion in mode "certified"."""
        if self._scanner is None or self.options.mode != "certified":
            return None
        if self.options.fuzz_left == "search":
            return SearchFuzzer(self._scanner)
        return TypeFuzzer(self._scanner.table())

    def _make_kernel(self) -> TextKernel:
        if self.options.noise == "mask" and self.options.mode == "frs":
            mask = getattr(getattr(self.classifier, "tokenizer", None), "mask_token", None)
            return text_kernel("masking", mask=mask or "[MASK]")
        return text_kernel("deletion")

    def _make_scanner(self) -> Scanner:
        return Scanner(self.classifier, self.options.search, self._segmenter, self._references)

    def _truncated(self, texts: Sequence[str]) -> list[bool]:
        check = getattr(self.classifier, "truncated", None)
        return list(check(texts)) if check is not None else [False] * len(texts)


def _check_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise FuzzsmoothError("expected a list of texts, got one string; put it into a list")
