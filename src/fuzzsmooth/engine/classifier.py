"""The smoothed classifier: Fuzzed Randomized Smoothing as published, and its certified forms."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.common.texts import checked_texts
from fuzzsmooth.engine.beside import check_references, references_beside
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.fuzzers import Fuzzer, SearchFuzzer, TypeFuzzer, Units
from fuzzsmooth.engine.keeping import save_smoothed, saved_options
from fuzzsmooth.engine.options import SmoothingOptions
from fuzzsmooth.engine.recheck import CertificateSampler, in_float32
from fuzzsmooth.engine.requirements import check_deterministic, check_rates
from fuzzsmooth.engine.results import Certification, Prediction, vote_prediction
from fuzzsmooth.engine.sampler import Plan, Sampler, read_alike
from fuzzsmooth.engine.statistics import gather_evidence, vote_evidence
from fuzzsmooth.engine.vote_certificates import vote_certification
from fuzzsmooth.engine.weighted import TypeRates, rate_table, unit_rates
from fuzzsmooth.engine.window_answers import window_certifications, window_predictions
from fuzzsmooth.engine.windows import WindowAblation
from fuzzsmooth.models.protocol import Classifier, WeightNoise, with_noise
from fuzzsmooth.models.sources import model_name
from fuzzsmooth.noise.text import TextKernel, area_rates, text_kernel, uniform_rates
from fuzzsmooth.search.references import References
from fuzzsmooth.search.scan import Scan, Scanner
from fuzzsmooth.text.units import segmenter

Advance = Callable[[int], None]


class SmoothedClassifier:
    """A classifier whose answers are votes over randomized texts and noisy parameters.

    Args:
        classifier: The suspect classifier, as :func:`fuzzsmooth.load_classifier` gives it; any callable
            wrapped in :class:`fuzzsmooth.models.CallableClassifier` will do if ``options.sigma`` is 0.
        options: The smoothing options, or a mapping of their names to values.
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
        options: SmoothingOptions | Mapping[str, Any],
        references: References | None = None,
        *,
        rates: TypeRates | None = None,
    ) -> None:
        options = SmoothingOptions.of(options)
        check_deterministic(classifier, options)
        self._noisy = options.sigma > 0 and options.mode != "windows"
        self.classifier = with_noise(classifier) if self._noisy else classifier
        self.options = options
        self._segmenter = segmenter(options.unit, getattr(classifier, "tokenizer", None))
        self._references = references
        self._rates = rates
        self._build()

    def _build(self) -> None:
        """Make what remembers answers of the classifier: search, flip rates, draws."""
        options, classifier = self.options, self.classifier
        self._built_for = classifier.fingerprint
        if self._rates is not None:
            check_rates(self._rates, classifier, options)
        self._scanner = self._make_scanner() if options.fuzzing else None
        # Predictions take every draw as computed; certificates keep a distance from rounding.
        coarse = getattr(classifier, "precision", "float32") != "float32"
        self._sampler = Sampler(
            classifier=classifier if self._noisy or coarse else in_float32(classifier),
            segmenter=self._segmenter,
            kernel=self._make_kernel(),
            noise=WeightNoise(options.sigma, options.top_layers) if self._noisy else None,
            fuzzer=self._make_fuzzer(),
            seed=options.seed,
        )
        self._certifying = CertificateSampler(options, takes_any=options.mode == "windows")

    def _follow_model(self) -> None:
        """Forget what another state of the model has answered, once its weights were changed."""
        if self.classifier.fingerprint != self._built_for:
            self._build()

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str],
        options: SmoothingOptions | Mapping[str, Any] | None = None,
        *,
        references: References | None = None,
        rates: TypeRates | None = None,
        **loading: Any,
    ) -> SmoothedClassifier:
        """Load a model safely and smooth it.

        Args:
            model: A local folder, a hub name, or ``builtin:minilm``.
            options: The smoothing options, or a mapping of their names to values. By default those that
                :meth:`save_pretrained` left in a local folder, which whoever wrote the folder has chosen; the
                defaults where there are none.
            references: Clean reference texts; by default those saved beside the weights of a local folder,
                which whoever wrote the folder has chosen: give your own for a model that you downloaded.
            rates: Deletion rates per unit type, see the class.
            **loading: Passed to :func:`fuzzsmooth.models.load_classifier` (precision, device, ...).

        Raises:
            FuzzsmoothError: As :func:`fuzzsmooth.models.load_classifier`, for missing references, or for a
                hub model that is to be searched without references of your own.
        """
        from fuzzsmooth.models import load_classifier

        name = model_name(model)
        saved = saved_options(name) if options is None else options
        chosen = SmoothingOptions.of(saved or {})
        if references is None:
            references = references_beside(name, chosen)
        check_references(chosen, references)  # before the weights are read
        return cls(load_classifier(name, **loading), chosen, references, rates=rates)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Write model, options and reference texts into one folder, which :meth:`from_pretrained` takes up.

        Args:
            folder: A new or empty folder, or one saved by fuzzsmooth before, which is replaced.

        Returns:
            The folder.

        Raises:
            FuzzsmoothError: If the classifier is a function, or has deletion rates per unit type (these are a
                file of their own), or the folder holds other files or cannot be written.
        """
        require(
            self._rates is None,
            "deletion rates per type are not saved with a model; save the classifier without them, and give "
            "their table again",
        )
        return save_smoothed(self.classifier, self.options, self._references, Path(folder))

    def __call__(self, texts: str | Iterable[str]) -> list[dict[str, Any]]:
        """As a text-classification pipeline of transformers answers: one ``{"label", "score"}`` per text.

        Args:
            texts: One text or several.

        Returns:
            The predicted label of each with its share of the votes; the label is None where
            :meth:`predict` has no answer.
        """
        given = [texts] if isinstance(texts, str) else texts
        return [{"label": one.label_name, "score": one.score} for one in self.predict(given)]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of votes and label indices."""
        return self.classifier.labels

    def scan(self, texts: Iterable[str], advance: Advance | None = None) -> list[Scan]:
        """Find the vulnerable segments of each text; see :class:`fuzzsmooth.search.Scan`.

        Args:
            texts: The texts as received.
            advance: Told how many texts have just been finished, for a progress bar.
        """
        self._follow_model()
        scanner = self._scanner or self._make_scanner()
        return scanner.scan(checked_texts(texts), self.options.seed, advance)

    def predict(
        self, texts: Iterable[str], *, scans: Sequence[Scan] | None = None, advance: Advance | None = None
    ) -> list[Prediction]:
        """The majority label of K draws for each text; in mode "windows" the answer of the procedure.

        A vote is a sample of what certificates speak of, the majority answer over all draws. In mode
        "certified" a text whose vote is too close to name it, except with probability ``options.alpha``, is
        answered "abstain"; in mode "frs", whose votes promise nothing, the prediction states its error.

        Args:
            texts: The texts as received.
            scans: Their scans, where they were made before; made here otherwise.
            advance: Told how many texts have just been finished, for a progress bar.
        """
        texts = checked_texts(texts)
        self._follow_model()
        scans, plans, _ = self._plans(texts, scans)
        return read_alike(lambda: self._predict(texts, scans, plans, advance))

    def _predict(
        self,
        texts: Sequence[str],
        scans: Sequence[Scan] | None,
        plans: Sequence[Plan],
        advance: Advance | None,
    ) -> list[Prediction]:
        options, sampler = self.options, self._certifying.answering(self._sampler)
        truncated = self._truncated(texts)
        if options.mode == "windows":
            found = WindowAblation(options, sampler).predict(plans, advance)
            return window_predictions(found, truncated, self.labels)
        votes = sampler.votes(plans, range(options.copies), "predict", advance)
        needed = options.alpha if options.mode == "certified" else 1.0
        return [
            vote_prediction(
                tuple(counts.tolist()),
                options.copies,
                self.labels,
                truncated=truncated[index],
                scan=scans[index] if scans else None,
                needed=needed,
            )
            for index, counts in enumerate(votes)
        ]

    def certify(
        self, texts: Iterable[str], *, scans: Sequence[Scan] | None = None, advance: Advance | None = None
    ) -> list[Certification]:
        """A certified answer for each text, or ABSTAIN.

        Mode "frs" bounds its K votes and gives the paper's radius, ``conditional`` on what the search marks
        in the changed text. Mode "certified" takes up to ``options.draws`` fresh draws, independent of those
        of :meth:`predict`, and gives ``proved`` radii. Mode "windows" draws nothing; what it proves is
        certain.

        Args:
            texts: The texts as received.
            scans: Their scans (mode "frs"), where they were made before; made here otherwise.
            advance: Told how many texts have just been finished, for a progress bar.
        """
        texts = checked_texts(texts)
        self._follow_model()
        scans, plans, listed = self._plans(texts, scans)
        return read_alike(lambda: self._certify(texts, scans, plans, listed, advance))

    def _certify(
        self,
        texts: Sequence[str],
        scans: Sequence[Scan] | None,
        plans: Sequence[Plan],
        listed: dict[str, float],
        advance: Advance | None,
    ) -> list[Certification]:
        options = self.options
        sampler, rounding = self._certifying.settle(self._sampler)
        if options.mode == "windows":
            windows = WindowAblation(options, sampler, rounding)
            ablated = windows.certify(plans, advance)
            return window_certifications(windows, ablated, plans, self._truncated(texts))
        if options.mode == "certified":
            weighted = self._rates is not None
            evidence = gather_evidence(plans, sampler, options, weighted=weighted, advance=advance)
        else:
            evidence = vote_evidence(plans, sampler, options, advance=advance)
        truncated, issuer = self._truncated(texts), Issuer(options, self.classifier, rounding)
        table = None if self._rates is None else rate_table(listed, options.rate)
        return [
            vote_certification(
                found,
                issuer,
                plan,
                table,
                truncated=truncated[index],
                scan=scans[index] if scans else None,
            )
            for index, (plan, found) in enumerate(zip(plans, evidence, strict=True))
        ]

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
