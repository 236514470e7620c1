"""From a model's name to a defended classifier; mistakes in how to are told before torch is imported."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Between, Options, described, require
from fuzzsmooth.data import check_source
from fuzzsmooth.data.telling import Tell, unheard
from fuzzsmooth.defenses import DEFENSES, Defense
from fuzzsmooth.defenses.saved import restore_beside, saved_defense
from fuzzsmooth.engine.type_rates import TypeRates
from fuzzsmooth.jobs.audited import read_audit, with_suspects
from fuzzsmooth.jobs.references import Clean, find_references, flip_rates, given_references
from fuzzsmooth.models import resolve_model
from fuzzsmooth.models.generation import PredicateOptions
from fuzzsmooth.models.prompt import PromptOptions
from fuzzsmooth.models.remote.endpoint import EndpointOptions, is_remote

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier
    from fuzzsmooth.models.predicated import PredicateClassifier
    from fuzzsmooth.models.remote.classifier import RemoteClassifier
    from fuzzsmooth.search import References
    from fuzzsmooth.training import FinetuneOptions

Loaded: TypeAlias = "HuggingFaceClassifier | PredicateClassifier | RemoteClassifier"
"""A model that is asked: all count their passes and have a precision."""

DEFAULT = "frs"
"""The defense of a model that was saved with none."""


@dataclass(frozen=True, kw_only=True)
class Machine(Options):
    """What a model is loaded onto."""

    device: Annotated[str, "``auto`` or a PyTorch device."] = "auto"
    allow_bin: Annotated[
        bool,
        "Read the tensors of a .bin checkpoint if there are no safetensors; code is never run.",
    ] = False
    threads: Annotated[
        int | None, Between(1, 1_024), "Processor threads of the arithmetic; left out: PyTorch's."
    ] = None

    def prepare(self) -> None:
        """Give PyTorch its threads."""
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)

    def trainable(self, model: str, labels: Sequence[str], options: FinetuneOptions) -> HuggingFaceClassifier:
        """Load a model to be trained on data of some classes; one without a head gets one.

        Raises:
            FuzzsmoothError: As :func:`fuzzsmooth.models.load_classifier`.
        """
        self.prepare()
        from fuzzsmooth.models import load_classifier

        return load_classifier(
            model,
            num_labels=len(labels),
            labels=labels,
            max_length=options.max_length,
            device=self.device,
            allow_bin=self.allow_bin,
            seed=options.seed,
        )


@dataclass(frozen=True, kw_only=True)
class Loading(Machine):
    """How a model is loaded."""

    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], "Arithmetic; auto is bfloat16 where it is native."
    ] = "float32"
    batch_size: Annotated[int, Between(1, 65_536), "Texts per forward pass."] = 32
    max_length: Annotated[
        int | None, Between(3, 1_000_000), "Where texts are cut, in tokens; left out: the model's own limit."
    ] = None
    require_signature: Annotated[
        str | None,
        "Public key (PEM) whose owner must have signed the model's folder (model.sig, by OpenSSF "
        "model-signing); checked before anything is read.",
    ] = None
    prompt: Annotated[PromptOptions, "How a causal language model is asked for the class of a text."] = field(
        default_factory=PromptOptions
    )
    generate: Annotated[
        PredicateOptions, "How a language model writes, and what is asked about its answer."
    ] = field(default_factory=PredicateOptions)
    endpoint: Annotated[EndpointOptions, "How a remote model is asked, and what that may cost."] = field(
        default_factory=EndpointOptions
    )

    def validate(self) -> None:
        """Check that a model is asked in one way."""
        require(
            not (self.prompt.given and self.generate.given),
            "a language model is asked for a word (--template) or for an answer (--predicate), not both; "
            "what an answer is given is --instruction",
        )

    def load(self, model: str, labels: Sequence[str] | None = None) -> HuggingFaceClassifier:
        """Load a model, as :func:`fuzzsmooth.models.load_classifier` does.

        Args:
            model: Its name.
            labels: The classes of a fresh head, for a model that has none; None for one that has.

        Raises:
            FuzzsmoothError: If it is missing, damaged, or no classifier.
        """
        require(
            not self.generate.given,
            "this command needs a classifier with a head or a prompt, and a language model that writes is "
            "none; leave out --predicate",
        )
        self.verify(model)
        self.prepare()
        from fuzzsmooth.models import load_classifier

        given = {option.name: getattr(self, option.name) for option in described(Loading)}
        del given["threads"], given["generate"], given["endpoint"], given["require_signature"]
        fresh: dict[str, Any] = {} if labels is None else {"labels": labels, "num_labels": len(labels)}
        return load_classifier(model, **given, **fresh)

    def verify(self, model: str) -> None:
        """Check the signature of a model, where one is required.

        Raises:
            FuzzsmoothError: If there is none, or it is of another key or of other files.
        """
        if self.require_signature is not None:
            from fuzzsmooth.models.signatures import verify_model

            verify_model(model, self.require_signature)

    def answering(self, model: str) -> Loaded:
        """Load a model to be asked: a classifier, a language model with a predicate, or a remote one.

        Raises:
            FuzzsmoothError: If it is missing, damaged, or none of them.
        """
        if is_remote(model):
            from fuzzsmooth.models.remote.classifier import load_remote

            return load_remote(model, self.prompt, self.endpoint, self.generate)
        if not self.generate.given:
            return self.load(model)
        self.verify(model)
        self.prepare()
        from fuzzsmooth.models.predicated import load_predicated

        return load_predicated(
            model,
            self.generate,
            max_length=self.max_length,
            precision=self.precision,
            device=self.device,
            allow_bin=self.allow_bin,
        )


def check_inputs(*, model: object = None, data: object = None) -> None:
    """Check that a model and data are there, as far as their names tell, without reading them.

    Args:
        model: A model's name, or None where there is none or what is no name, which its options refuse.
        data: A data set, likewise.

    Raises:
        FuzzsmoothError: If there is no such folder or file.
    """
    if isinstance(model, str):
        resolve_model(model)
    if isinstance(data, str):
        check_source(data)


@dataclass(frozen=True)
class Choice:
    """A defense, and the options that a model was saved with for it.

    Attributes:
        kind: The defense.
        saved: These options, or None.
    """

    kind: type[Defense]
    saved: Options | None = None

    def options(self, given: Mapping[str, Any], *, where: str = "") -> Options:
        """The options of the defense: what is given over what was saved, nested options by name as well.

        Args:
            given: Options by name.
            where: What they came from, for the error.

        Raises:
            FuzzsmoothError: If one is unknown or has a bad value.
        """
        base = {} if self.saved is None else self.saved.to_mapping()
        kind = self.kind.options_type
        return kind.from_mapping(_over(base, given), where=where or f"defense '{self.kind.name}'")


def choose_defense(model: str, defense: str | None) -> Choice:
    """The defense that was named, or the one that a local folder was saved with, as ``protect`` chooses.

    Args:
        model: The model.
        defense: A registered name, or None.

    Raises:
        FuzzsmoothError: If there is no such model or defense.
    """
    check_inputs(model=model)
    saved = saved_defense(model)
    kind = DEFENSES.get(defense or (saved.defense if saved else DEFAULT))
    return Choice(kind, saved.options if saved and saved.defense == kind.name else None)


def _over(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in given.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _over(merged[name], value) if nested else value
    return merged


@dataclass(frozen=True)
class Asked:
    """What is to be loaded.

    Attributes:
        model: As in :func:`fuzzsmooth.models.load_classifier`.
        kind: The defense.
        options: Its options.
        loading: How to load the model.
        references: A references file; by default the one beside the weights of a local folder.
        clean: Clean labeled data to choose references from instead.
        table: A file with flip rates of unit types, for deletion rates per type.
        fill: Whether to test types that are not in it, and to add them.
        audit: Folder of an audit, whose findings a search tests first.
    """

    model: str
    kind: type[Defense]
    options: Options
    loading: Loading
    references: Path | None = None
    clean: Clean | None = None
    table: Path | None = None
    fill: bool = False
    audit: Path | None = None


@dataclass(frozen=True)
class Defended:
    """A defended classifier with what decides its answers.

    Attributes:
        defense: It.
        model: The model under it, whose ``forward_count`` counts.
        settings: JSON values that identify defense, options, model, references and arithmetic.
        rates: Deletion rates per unit type, where a table was given.
    """

    defense: Defense
    model: Loaded
    settings: Mapping[str, Any]
    rates: TypeRates | None = None


def takes_rates(kind: type[Defense]) -> bool:
    """Whether a defense can delete each unit type at a rate of its own."""
    return "rates" in inspect.signature(kind).parameters


def load_defended(
    asked: Asked,
    *,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
    chosen: Sequence[References | None] = (),
) -> Defended:
    """Load a model and put a defense around it.

    Args:
        asked: What is to be loaded.
        stages: Progress display.
        tell: Told what is to be known of the references.
        chosen: The references that another process has found for it, alone; they are taken as they are.

    Raises:
        FuzzsmoothError: If anything is missing or does not fit.
    """
    kind, options, table = asked.kind, asked.options, asked.table
    if table is None:
        require(not asked.fill, "--fill adds to a table of flip rates; give it too (--table)")
    elif not takes_rates(kind):
        raise FuzzsmoothError(
            f"a table of flip rates is for defense 'deletion'; defense '{kind.name}' has no rates by type"
        )
    elif not asked.fill and not table.is_file():
        raise FuzzsmoothError(f"there is no table {table}; build it with 'fuzzsmooth table build'")
    report = None if asked.audit is None else read_audit(asked.audit)
    if chosen:
        (references,) = chosen
        model = asked.loading.answering(asked.model)
    else:
        given = given_references(asked.model, kind, options, asked.references, asked.clean)
        require(
            asked.clean is None or not is_remote(asked.model) or asked.loading.endpoint.limited,
            "to choose references from --clean the endpoint is asked about hundreds of texts first; limit "
            "what that may cost (--request-budget or --price-budget), or give --yes",
        )
        model = asked.loading.answering(asked.model)  # torch is not imported before
        references = find_references(
            given, model, options, witnessed=kind.needs.trusted_encoder, stages=stages, tell=tell
        )
        if report is not None:
            references = with_suspects(references, report, options, model)
    if table is None:
        defense, rates = kind(model, options, references), None
    else:
        found = flip_rates(model, references, options)
        found.keep_in(table)
        rates = TypeRates(found, fill=asked.fill)
        defense = kind(model, options, references, rates=rates)  # type: ignore[call-arg]  # see takes_rates
    restore_beside(defense, asked.model)
    settings = {"model": model.fingerprint, "precision": model.precision, **defense.settings}
    return Defended(defense, model, settings, rates)
