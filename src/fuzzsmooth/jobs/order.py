"""What is to be protected, and how: the order that ``fuzzsmooth protect`` carries out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fuzzsmooth.bench.provenance import shown
from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.data import Splits
from fuzzsmooth.defenses import Defense
from fuzzsmooth.jobs.audited import read_audit
from fuzzsmooth.jobs.loading import Machine
from fuzzsmooth.models import resolve_model
from fuzzsmooth.models.remote.endpoint import refuse_remote
from fuzzsmooth.training import FinetuneOptions


@dataclass(frozen=True, kw_only=True)
class ProtectOptions(Options):
    """How a model is protected."""

    holdout: Annotated[
        float | None,
        Between(0, 1_000_000_000, above=True),
        "Texts held out to measure on: a share below 1, or a number; left out: 20 %, at most 200.",
    ] = None
    finetune: Annotated[bool, "Whether the model is fine-tuned for the defense, or only wrapped."] = True
    twin: Annotated[
        str | None, "A trusted clean copy of the pre-trained model, for defenses that need one."
    ] = None
    audit: Annotated[
        str | None,
        "Folder of an audit of the model; what it found is tested first in every text that the protected "
        "model gets, and is believed in nothing.",
    ] = None
    sign: Annotated[
        str | None,
        "Private key (PEM) that the folder is signed with, by OpenSSF model-signing; --require-signature "
        "checks it.",
    ] = None


@dataclass(frozen=True)
class Order:
    """What is to be protected, and how.

    Attributes:
        model: As in :func:`fuzzsmooth.models.load_classifier`.
        data: Clean labeled data, as in :func:`fuzzsmooth.data.load_splits`.
        out: The folder of the protected model.
        kind: The defense.
        options: Its options.
        protect: What is held out, and whether the model is fine-tuned.
        training: Changes to the fine-tuning that the defense wants, by name.
        machine: Where the model is.
        columns: Keyword arguments of :func:`fuzzsmooth.data.load_splits`.
        fresh: Start anew, even if a stopped run could be continued.
    """

    model: str
    data: str
    out: Path
    kind: type[Defense]
    options: Options
    protect: ProtectOptions = field(default_factory=ProtectOptions)
    training: Mapping[str, Any] = field(default_factory=dict)
    machine: Machine = field(default_factory=Machine)
    columns: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False

    @property
    def finetuning(self) -> FinetuneOptions:
        """How the model is fine-tuned: for the defense, under its seed, with the changes."""
        seed = self.options.to_mapping().get("seed", 0)
        wanted = {"seed": seed, **self.kind.training(self.options), **self.training}
        return FinetuneOptions.from_mapping(wanted, where="options of fine-tuning")


def identity(order: Order, splits: Splits) -> dict[str, Any]:
    """What decides the protected model and its measurement."""
    return {
        "model": shown(order.model),
        "weights": _weights(order.model),
        "train_sha256": splits.train.fingerprint,
        "held_out_sha256": splits.test.fingerprint,
        "defense": order.kind.name,
        "options": order.options.to_mapping(),
        "finetune": order.finetuning.to_mapping() if order.protect.finetune else None,
        **({} if order.protect.twin is None else {"twin": _weights(order.protect.twin)}),
        **({} if order.protect.audit is None else {"audit": _findings(Path(order.protect.audit))}),
        "allow_bin": order.machine.allow_bin,
    }


def _findings(folder: Path) -> str:
    """A hash of what is taken from an audit."""
    report = read_audit(folder)
    facts = [[one.get("text"), one.get("level"), one.get("kind")] for one in report["triggers"]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _weights(model: str) -> str:
    """A hash that tells whether a name still means the same files; a path itself is private."""
    source = resolve_model(model)
    if source.kind == "endpoint":
        raise refuse_remote(model)
    facts: list[Any] = [source.kind, source.location]
    if source.kind != "hub":
        files = sorted(Path(source.location).iterdir())
        facts += [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
