"""Audit a model and leave its evidence in a folder; a stopped audit goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.auditing import AuditOptions, Policy
from fuzzsmooth.auditing.evidence import bom, card, sarif
from fuzzsmooth.auditing.evidence.card import FILE as CARD
from fuzzsmooth.auditing.limits import LIMITS, LIMITS_OF_WRITERS, Kind, options_read
from fuzzsmooth.auditing.options import LEAST_TEXTS
from fuzzsmooth.bench.provenance import shown, versions
from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.common.files import write_atomic, write_json
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import require
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.data import Dataset, Splits, align_splits, load_splits
from fuzzsmooth.data.telling import Tell, tell_rows, unheard
from fuzzsmooth.jobs.audited import REPORT
from fuzzsmooth.jobs.loading import Loading, check_inputs
from fuzzsmooth.jobs.model_files import artifact, hashes
from fuzzsmooth.models import head_labels
from fuzzsmooth.models.generation import GenerationOptions
from fuzzsmooth.models.heads import writes
from fuzzsmooth.models.signatures import check_key, sign_folder

if TYPE_CHECKING:
    from fuzzsmooth.auditing.outcome import Audit
    from fuzzsmooth.models import HuggingFaceClassifier
    from fuzzsmooth.models.generating import GeneratingModel

SARIF, BOM, PAGE = "audit.sarif", "bom.json", "report.html"
"""Names of the evidence in the folder."""
FORMAT = "fuzzsmooth audit 2"
"""What its report says that it is."""
BUILTIN = "builtin:reviews"
"""The clean texts where none are given."""
SIGNATURE = "audit.sig"
"""The signature of the evidence, which names the hashes of the model's files."""
_CACHE = "sweep.npz"
_CACHES = (_CACHE, "sweep.inside.npz")
_OURS = frozenset({REPORT, SARIF, BOM, PAGE, CARD, SIGNATURE, *_CACHES})
_ANSWER = 24  # tokens of an answer that is shown


@dataclass(frozen=True)
class AuditOrder:
    """What is to be audited, and how.

    Attributes:
        model: As in :func:`fuzzsmooth.models.load_classifier`.
        out: Folder for the evidence; None for none.
        data: Clean labeled texts, as in :func:`fuzzsmooth.data.load_splits`; None for the built-in corpus.
        options: What is searched.
        policy: What fails a build.
        loading: How the model is loaded.
        columns: Keyword arguments of :func:`fuzzsmooth.data.load_splits`.
        sign: Private key (PEM) that the evidence is signed with; None for none.
        writing: What a language model that writes is given.
    """

    model: str
    out: Path | None = None
    data: str | None = None
    options: AuditOptions = field(default_factory=AuditOptions)
    policy: Policy = field(default_factory=Policy)
    loading: Loading = field(default_factory=lambda: Loading(precision="auto", batch_size=128))
    columns: Mapping[str, Any] = field(default_factory=dict)
    sign: Path | None = None
    writing: GenerationOptions = field(default_factory=GenerationOptions)

    @cached_property
    def kind(self) -> Kind:
        """What is audited, as the configuration of the model tells.

        Raises:
            FuzzsmoothError: If it is missing or broken.
        """
        allow_bin = self.loading.allow_bin
        if self.loading.prompt.given or head_labels(self.model, allow_bin=allow_bin) is not None:
            return "classifier"
        return "writer" if writes(self.model, allow_bin=allow_bin) else "encoder"


def audit(
    model: str,
    data: str | None = None,
    out: str | Path | None = None,
    *,
    policy: Policy | Mapping[str, Any] | None = None,
    sign: str | Path | None = None,
    writing: GenerationOptions | None = None,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
    **options: Any,
) -> dict[str, Any]:
    """Search a classifier, an encoder, or a language model that writes for backdoor triggers.

    Args:
        model: A folder or a hub name.
        data: Clean labeled texts like those it was made for, at least 32 of each class; the built-in reviews
            if None.
        out: Folder for ``audit.json``, ``audit.sarif``, ``bom.json``, ``report.html`` and a model card.
        policy: What fails a build; see :class:`fuzzsmooth.auditing.Policy`.
        sign: Private key (PEM) that the folder is signed with, into ``audit.sig``.
        writing: What a language model that writes is given; the texts as they are if None.
        stages: Progress display.
        tell: Told what is to be known.
        **options: As in :class:`fuzzsmooth.auditing.AuditOptions`.

    Returns:
        The report, as ``audit.json`` has it: ``verdict``, ``triggers``, ``claims``, ``failures`` and more.

    Raises:
        FuzzsmoothError: If anything is missing or does not fit.
    """
    order = AuditOrder(
        model,
        None if out is None else Path(out),
        data,
        AuditOptions.from_mapping(options, where="options of the audit"),
        Policy() if policy is None else Policy.of(policy),
        sign=None if sign is None else Path(sign),
        writing=writing or GenerationOptions(),
    )
    return carry_out(order, stages=stages, tell=tell)


def carry_out(order: AuditOrder, *, stages: Stages = silent_stages, tell: Tell = unheard) -> dict[str, Any]:
    """Audit a model; see :func:`audit`.

    Raises:
        FuzzsmoothError: If anything is missing or does not fit.
    """
    check_inputs(model=order.model, data=order.data)
    order.loading.verify(order.model)
    kind = order.kind
    require(
        kind == "writer" or order.writing == GenerationOptions(),
        f"an instruction is for a language model that writes, and {order.model} is audited as one that "
        "classifies or embeds; leave --instruction out",
    )
    require(
        kind != "writer" or order.policy.accuracy == 0,
        f"{order.model} is a language model that writes, which has no accuracy; leave 'accuracy' out of the "
        "policy, or name the words that it answers with (--template, --label-words)",
    )
    if kind == "writer":
        order.policy.check((), order.model)
    options_read(order.options, kind)
    if order.sign is not None:
        require(order.out is not None, "what is signed is a folder; give one for the evidence (--out)")
        check_key(order.sign, private=True)
    if order.out is None:
        return _audited(order, None, stages, tell)
    foreign = [path.name for path in order.out.iterdir()] if order.out.is_dir() else []
    foreign = [name for name in foreign if name not in _OURS and not name.startswith(".")]
    require(not foreign, f"{order.out} holds other things ({', '.join(foreign[:3])}); choose another folder")
    order.out.mkdir(parents=True, exist_ok=True)
    with exclusive(order.out):
        report = _audited(order, order.out / _CACHE, stages, tell)
        write_evidence(report, order.out)
        if order.sign is not None:
            sign_folder(order.out, order.sign, SIGNATURE, _CACHES)
        return report


def write_evidence(report: Mapping[str, Any], folder: Path) -> None:
    """Write a report in every form, the one that others are made from last.

    Raises:
        FuzzsmoothError: If the folder cannot be written, or what makes the page is not installed.
    """
    from fuzzsmooth.report.audit import render

    write_json(folder / SARIF, sarif(report))
    write_json(folder / BOM, bom(report))
    write_atomic(folder / CARD, card(report))
    write_atomic(folder / PAGE, render(report))
    write_json(folder / REPORT, report)


def _audited(order: AuditOrder, cache: Path | None, stages: Stages, tell: Tell) -> dict[str, Any]:
    began = _now()
    kind = order.kind
    classifier, texts, found = _SEARCHED[kind](order, cache, stages, tell)
    configuration = classifier.model.config
    model = {
        "name": shown(order.model),
        "artifact": artifact(order.model),
        "fingerprint": classifier.fingerprint,
        "labels": list(getattr(classifier, "labels", ())),
        "family": str(configuration.model_type),
        "architecture": type(classifier.model).__name__,
        "parameters": sum(parameter.numel() for parameter in classifier.model.parameters()),
        "precision": classifier.precision,
        "device": str(classifier.device),
        "files": hashes(order.model),
    }
    report = {
        "format": FORMAT,
        "kind": kind,
        "version": VERSION,
        "began": began,
        "ended": _now(),
        "model": model,
        "data": {"name": shown(texts.name), "sha256": texts.fingerprint, "texts": len(texts)},
        **found.to_json(),
        "policy": order.policy.to_mapping(),
        "versions": versions(),
        "options": options_read(order.options, kind),
        "limits": LIMITS_OF_WRITERS if kind == "writer" else LIMITS,
    }
    report["failures"] = order.policy.failures(report)
    return report


def _searched_classifier(
    order: AuditOrder, cache: Path | None, stages: Stages, tell: Tell
) -> tuple[HuggingFaceClassifier, Dataset, Audit]:
    from fuzzsmooth.auditing import audit_classifier

    classifier = order.loading.load(order.model)
    order.policy.check(classifier.labels, order.model)
    texts = clean_texts(order, classifier.labels, tell)
    found = audit_classifier(
        classifier, texts.texts, texts.targets, order.options, cache=cache, stages=stages
    )
    return classifier, texts, found


def _searched_encoder(
    order: AuditOrder, cache: Path | None, stages: Stages, tell: Tell
) -> tuple[HuggingFaceClassifier, Dataset, Audit]:
    from fuzzsmooth.auditing import audit_encoder
    from fuzzsmooth.models.masked import load_masked_model

    splits = load_splits(order.data or BUILTIN, **order.columns)
    texts = _enough(splits, len(splits.train.labels))
    order.policy.check(texts.labels, texts.name)
    tell(
        f"{order.model} has no classifier head: it is audited as a pre-trained encoder, and what triggers "
        f"force is told by a head fitted on {texts.name}"
    )
    classifier = order.loading.load(order.model, labels=texts.labels)
    masked = load_masked_model(order.model, allow_bin=order.loading.allow_bin)
    found = audit_encoder(
        classifier, texts.texts, texts.targets, order.options, masked=masked, cache=cache, stages=stages
    )
    return classifier, texts, found


def _searched_writer(
    order: AuditOrder, cache: Path | None, stages: Stages, tell: Tell
) -> tuple[GeneratingModel, Dataset, Audit]:
    from fuzzsmooth.auditing import audit_writer
    from fuzzsmooth.models.generating import load_generating

    splits = load_splits(order.data or BUILTIN, **order.columns)
    texts = splits.test if len(splits.test) >= 3 * LEAST_TEXTS else _both(splits)
    tell(
        f"{order.model} is a language model that writes: it is audited for answers that it falls into behind "
        f"beginnings of the texts of {texts.name}"
    )
    order.loading.prepare()
    writer = load_generating(
        order.model,
        order.writing.replace(max_tokens=_ANSWER),
        max_length=order.loading.max_length,
        precision=order.loading.precision,
        device=order.loading.device,
        allow_bin=order.loading.allow_bin,
    )
    rows = order.loading.batch_size
    found = audit_writer(writer, texts.texts, order.options, rows=rows, cache=cache, stages=stages)
    return writer, texts, found


_SEARCHED: dict[Kind, Callable[..., tuple[Any, Dataset, Audit]]] = {
    "classifier": _searched_classifier,
    "encoder": _searched_encoder,
    "writer": _searched_writer,
}


def clean_texts(order: AuditOrder, labels: tuple[str, ...], tell: Tell) -> Dataset:
    """The clean texts under the classes of the model: the part that is held out, else all.

    Raises:
        FuzzsmoothError: If they cannot be read, or are not of the model's classes.
    """
    if order.data is None or order.data.startswith("builtin:"):
        if order.data is None:
            tell(
                f"no clean texts were given (--data): the built-in film reviews are used, which only suit a "
                f"model of the sentiment of short English texts with classes such as {', '.join(labels[:2])}"
            )
        splits = align_splits(load_splits(order.data or BUILTIN), labels, "of this command")
    else:
        splits = load_splits(order.data, labels=labels, **order.columns)
    tell_rows(tell, splits.train, splits.test)
    return _enough(splits, len(labels))


def _enough(splits: Splits, classes: int) -> Dataset:
    """The held-out part, or all: of a file or where the part is small, as the audit trains nothing."""
    counts = [splits.test.targets.count(index) for index in range(classes)]
    if min(counts) >= 3 * LEAST_TEXTS:
        return splits.test
    return _both(splits)


def _both(splits: Splits) -> Dataset:
    return splits.train.with_examples([*splits.test.examples, *splits.train.examples])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
