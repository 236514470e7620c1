"""The contract of a defense: one file, one class, registered; every front end and the bench use it alike.

A defense wraps a suspect classifier and answers texts. It states what its answers promise (``guarantee``),
what it assumes beside the model (``needs``), and how its victim is best fine-tuned
(:meth:`Defense.training`). One that trains or mends the model itself overrides :meth:`Defense.make_model`;
one that learns a threshold stands on :mod:`fuzzsmooth.defenses.fitted`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.registry import Registry
from fuzzsmooth.common.texts import checked_texts
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.models.protocol import Classifier, declares_deterministic
from fuzzsmooth.search.references import References
from fuzzsmooth.search.scan import Scan
from fuzzsmooth.training.progress import Progress, silent

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

Advance = Callable[[int], None]
"""Told how many texts have just been finished."""

Guarantee = Literal["proved", "conditional", "empirical"]


@dataclass(frozen=True)
class Needs:
    """What a defense assumes beside the model and the text.

    Attributes:
        references: Clean reference texts, where its options search.
        clean_data: Clean labeled texts that nothing is trained on.
        clean_twin: A clean copy of the pre-trained model.
        poisoned_data: The data that the model is fine-tuned on, which the attacker had a hand in; it
            fine-tunes the model itself.
        training: A victim fine-tuned for it.
        trusted_encoder: An encoder of texts that nobody could have backdoored, whatever the suspect model is.
        demonstrations: Examples in the prompt of a language model, which are what it protects.
    """

    references: bool = False
    clean_data: bool = False
    clean_twin: bool = False
    poisoned_data: bool = False
    training: bool = False
    trusted_encoder: bool = False
    demonstrations: bool = False

    def __str__(self) -> str:
        """As in "training, references"; "nothing" if so."""
        names = [name.replace("_", " ") for name, needed in asdict(self).items() if needed]
        return ", ".join(names) or "nothing"


class Defense(ABC):
    """A defended classifier.

    Args:
        classifier: The suspect classifier.
        options: Of type ``options_type``, or a mapping of their names to values.
        references: Clean reference texts, for defenses that search.

    Attributes:
        name: Under which it is registered.
        options_type: Its options.
        guarantee: What its certificates are at best; an empirical defense has none.
        needs: What it assumes.
        fitted_in: Folder of what it has learned, where it learns anything; see :meth:`fit`.
    """

    name: ClassVar[str]
    fitted_in: Path | None = None
    options_type: ClassVar[type[Options]] = Options
    guarantee: ClassVar[Guarantee] = "empirical"
    needs: ClassVar[Needs] = Needs()

    def __init__(
        self,
        classifier: Classifier,
        options: Options | Mapping[str, Any],
        references: References | None = None,
    ) -> None:
        self.classifier = classifier
        self.options = self.options_type.of(options)
        self.references = references

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of votes and label indices."""
        return self.classifier.labels

    @abstractmethod
    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """Answer each text.

        Args:
            texts: The texts as received, checked.
            certify: Whether certificates are wanted; a defense without any gives none.
            advance: Told how many texts have just been finished, for a progress bar.
        """

    def predict(self, texts: Iterable[str], *, advance: Advance | None = None) -> list[Answer]:
        """The label of each text, or an abstention; without certificates."""
        return self.answer(checked_texts(texts), certify=False, advance=advance)

    def certify(self, texts: Iterable[str], *, advance: Advance | None = None) -> list[Answer]:
        """The label of each text with certificates, or an abstention."""
        return self.answer(checked_texts(texts), certify=True, advance=advance)

    def scan(self, texts: Iterable[str], *, advance: Advance | None = None) -> list[Scan]:
        """The suspicious segments of each text.

        Raises:
            FuzzsmoothError: If the defense does not search for them.
        """
        del texts, advance
        raise FuzzsmoothError(f"defense '{self.name}' does not search texts for suspicious segments")

    def warm_up(self, text: str) -> None:
        """Make what is made once and not by every text, so that no user waits for it; by default nothing.

        Args:
            text: Any text.
        """
        del text

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
    def settings(self) -> dict[str, Any]:
        """JSON values that decide the answers, beside the model's fingerprint and arithmetic."""
        return {
            "defense": self.name,
            "options": self.options.to_mapping(),
            "references": asdict(self.references) if self.references else None,
        }

    @classmethod
    def settled(cls, options: Any, data: Dataset) -> Any:
        """The options, with what they leave to be chosen on training texts; by default they leave nothing.

        Args:
            options: Of type ``options_type``.
            data: The training texts, which the model is fine-tuned on.

        Raises:
            FuzzsmoothError: If the data do not do.
        """
        del data
        return options

    @classmethod
    def training(cls, options: Any) -> Mapping[str, Any]:
        """How its victim is best fine-tuned: names and values of FinetuneOptions; nothing for plainly."""
        del options
        return {}

    @classmethod
    def make_model(
        cls, options: Any, material: Material, output: Path, progress: Progress = silent
    ) -> HuggingFaceClassifier:
        """Make the model that it protects with: by default, the suspect one fine-tuned as it wants.

        Args:
            options: Of type ``options_type``.
            material: What the defender has.
            output: Folder of the model; where a stopped run has left something, it is used.
            progress: Called with steps done and steps in all.

        Returns:
            The model, which is in the folder too.

        Raises:
            FuzzsmoothError: If something is missing.
        """
        changes = cls.training(options)
        if material.finished and not changes:
            classifier = material.load()
            classifier.save(output)  # a finished victim is used as it was received
            return classifier
        return material.trained(output, progress, **changes)

    @classmethod
    def model_key(cls, options: Any) -> Mapping[str, Any]:
        """What of the options decides the model that :meth:`make_model` makes, for sharing it.

        By default that is how it is fine-tuned; a defense that overrides that method names itself and its
        options.
        """
        changes = {name: value for name, value in cls.training(options).items() if value is not None}
        own = cls.make_model.__func__ is not Defense.make_model.__func__  # type: ignore[attr-defined]
        return {"defense": cls.name, **options.to_mapping(), **changes} if own else changes

    def fit(self, material: Material, folder: Path, progress: Progress = silent) -> None:
        """Learn what it needs from clean data, and keep it; by default nothing.

        Args:
            material: What the defender has.
            folder: Where it is kept; what is there already is used.
            progress: Called with steps done and steps in all.

        Raises:
            FuzzsmoothError: If the data do not do.
        """
        del material, folder, progress

    def restore(self, folder: Path) -> None:
        """Take over what :meth:`fit` has kept in a folder; by default nothing.

        Raises:
            FuzzsmoothError: If it is missing, damaged, or of another model or other options.
        """
        del folder

    @classmethod
    def threats(cls, options: Any) -> tuple[str, ...]:
        """The threats that are certified under these options."""
        del options
        return ()

    @classmethod
    def check(cls, options: Any, references: References | None) -> None:
        """Refuse, before a model is loaded, what cannot work.

        Raises:
            FuzzsmoothError: If something is missing.
        """
        del options, references

    def together(self, *, certify: bool) -> int:
        """Texts that are best answered in one call: enough to fill batches, few enough to lose little."""
        del certify
        return 64

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write model, options and references into one folder, which :func:`fuzzsmooth.protect` takes.

        Args:
            folder: A new or empty folder, or one saved by fuzzsmooth before, which is replaced.

        Returns:
            The folder.

        Raises:
            FuzzsmoothError: If the classifier is a function, or the folder holds other files or cannot be
                written.
        """
        from fuzzsmooth.defenses.saved import save_defense

        return save_defense(self, Path(folder))


DEFENSES: Registry[type[Defense]] = Registry("defense", "fuzzsmooth.defenses")
"""All defenses by name."""


def truncated_by(classifier: Classifier, texts: Sequence[str]) -> list[bool]:
    """Whether each text is longer than the classifier reads; False where it does not say."""
    check = getattr(classifier, "truncated", None)
    return [False] * len(texts) if check is None else list(check(texts))


def require_deterministic(classifier: Classifier, what: str, instead: str) -> None:
    """Refuse what takes a single answer of the classifier for a fact, where it may answer by chance.

    Args:
        classifier: The classifier.
        what: What asks once, as the start of a sentence.
        instead: What works all the same, as its end.

    Raises:
        FuzzsmoothError: If it does not declare itself deterministic.
    """
    require(
        declares_deterministic(classifier),
        f"{what}; declare it deterministic if it always gives the same answer to the same text"
        f" (CallableClassifier(..., deterministic=True), --always-same), or {instead}",
    )
