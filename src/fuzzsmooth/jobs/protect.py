"""The golden path for a user's own model: fine-tune it for a defense, measure both, save one folder.

A run that was stopped goes on: fine-tuning from its last checkpoint, the measurement from the answers that
are there. Until the end everything lies in a folder beside the output, ``<output>.protecting``; the output
appears whole or not at all.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.bench.provenance import shown, versions
from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.common.files import write_atomic, write_json
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.data import Splits, TextInput
from fuzzsmooth.data.stratify import keep_back
from fuzzsmooth.data.telling import Tell, tell_rows, unheard
from fuzzsmooth.defenses import DEFENSES, Defense, FittedDefense, Material
from fuzzsmooth.defenses.saved import write_beside
from fuzzsmooth.engine.options import SearchedOptions
from fuzzsmooth.jobs.answering import AnswerFile, Record, answer_all
from fuzzsmooth.jobs.audited import read_audit, with_suspects
from fuzzsmooth.jobs.holding_out import hold_out
from fuzzsmooth.jobs.learned import not_learned
from fuzzsmooth.jobs.loading import Loading
from fuzzsmooth.jobs.model_card import model_card
from fuzzsmooth.jobs.order import Order, ProtectOptions, identity
from fuzzsmooth.jobs.seen import references_key, remember
from fuzzsmooth.models.signatures import check_key, sign_model
from fuzzsmooth.search import References, select_references
from fuzzsmooth.training import check_output, splits_for

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

REPORT = "protect.json"
"""Name of the report in the folder of a protected model."""
CARD = "README.md"
"""Name of its model card."""
_SETTINGS = "settings.json"
_MADE = "model.made"
_CALIBRATION = 200  # clean texts for thresholds, at most; a fifth of fewer texts


def protect_model(
    model: str,
    data: str,
    out: str | Path,
    defense: str = "frs",
    *,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
    holdout: float | None = None,
    finetune: bool | Mapping[str, Any] = True,
    audit: str | Path | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Fine-tune a model for a defense, choose its references, measure both, and save one folder.

    Args:
        model: A folder, a hub name or ``builtin:minilm``.
        data: Clean labeled data, as :func:`fuzzsmooth.data.load_splits` takes it; references come from it.
        out: A new or empty folder, or one saved by fuzzsmooth before, which is replaced.
        defense: A name of ``fuzzsmooth list defenses``.
        stages: Progress display.
        tell: Told what is to be known.
        holdout: Texts held out to measure on: a share below 1, or a number; None for 20 %, at most 200.
        finetune: False only wraps the model; a mapping changes options of
            :class:`fuzzsmooth.training.FinetuneOptions`.
        audit: Folder of an audit of the model; what it found is tested first in every text.
        **options: Options of the defense.

    Returns:
        The report, as ``protect.json`` in the folder has it.

    Raises:
        FuzzsmoothError: If anything is missing or does not fit.
    """
    kind = DEFENSES.get(defense)
    order = Order(
        model,
        data,
        Path(out),
        kind,
        kind.options_type.from_mapping(options, where=f"defense '{defense}'"),
        ProtectOptions(holdout=holdout, finetune=bool(finetune), audit=None if audit is None else str(audit)),
        finetune if isinstance(finetune, Mapping) else {},
    )
    return carry_out(order, stages=stages, tell=tell)


def carry_out(order: Order, *, stages: Stages = silent_stages, tell: Tell = unheard) -> dict[str, Any]:
    """Protect a model; see :func:`protect_model`.

    Raises:
        FuzzsmoothError: If anything is missing or does not fit.
    """
    order.finetuning  # noqa: B018  # bad options are told before data is read
    if order.protect.sign is not None:
        check_key(Path(order.protect.sign), private=True)
    if order.protect.audit is not None:
        read_audit(Path(order.protect.audit))
        require(
            isinstance(order.options, SearchedOptions) and order.options.fuzzing,
            f"defense '{order.kind.name}' searches no texts, so that an audit makes no difference; leave "
            "out --audit",
        )
    check_output(order.out, order.model)
    splits = hold_out(order.data, order.protect.holdout, order.columns)
    splits = splits_for(order.model, splits, allow_bin=order.machine.allow_bin)
    tell_rows(tell, splits.train, splits.test)
    order = replace(order, options=order.kind.settled(order.options, splits.train))
    known = set(splits.train.texts)
    twice = sum(text in known for text in splits.test.texts)
    if twice:
        tell(f"{twice} of the {len(splits.test)} held-out texts are in the training data, too")
    with exclusive(order.out):
        return _Run(order, splits, stages, tell).report()


class _Run:
    """One run, held by its lock."""

    def __init__(self, order: Order, splits: Splits, stages: Stages, tell: Tell) -> None:
        self._order = order
        self._splits = splits
        self._stages = stages
        self._tell = tell
        self._parts = order.out.with_name(f"{order.out.name}.protecting")
        self._seconds: dict[str, float] = {}
        self._settings = json.loads(json.dumps(identity(order, splits)))
        self._resumed = False

    def report(self) -> dict[str, Any]:
        """Do what is not done yet."""
        done = self._done()
        if done is not None:
            self._tell(f"{self._order.out} is protected so already; --fresh does it anew")
            shutil.rmtree(self._parts, ignore_errors=True)
            sign_model(self._order.out, self._order.protect.sign)
            return done
        self._claim()
        model = self._model()
        references = self._references(model)
        defense = self._fitted(self._order.kind(model, self._order.options, references))
        measured = self._measure(model, defense)
        report = self._told(model, references, measured)
        warnings = list(defense.warnings) if isinstance(defense, FittedDefense) else []
        warnings += not_learned(measured["clean"], self._splits.test.targets, self._tell)
        report |= {"warnings": warnings} if warnings else {}
        self._save(model, defense, report)
        shutil.rmtree(self._parts, ignore_errors=True)
        return report

    def _done(self) -> dict[str, Any] | None:
        """The report of a finished run of the same settings."""
        file = self._order.out / REPORT
        if self._order.fresh or not file.is_file():
            return None
        report = read_json_object(file, mend="delete the folder, or choose another")
        return report if report.get("settings") == self._settings else None

    def _claim(self) -> None:
        """Take up what a stopped run has left, or begin."""
        file = self._parts / _SETTINGS
        if self._order.fresh:
            shutil.rmtree(self._parts, ignore_errors=True)
        if file.is_file():
            known = read_json_object(file, mend=f"delete {self._parts}")
            require(
                known == self._settings,
                f"{self._parts} is of a stopped run with another model, data or options; use those, start "
                "anew (--fresh) or choose another --out",
            )
            self._resumed = True
            self._tell("going on where a stopped run was")
        write_json(file, self._settings)

    def _model(self) -> HuggingFaceClassifier:
        """The model that is protected, loaded as it will be."""
        order, folder = self._order, self._parts / "model"
        made = self._parts / _MADE
        if order.protect.finetune and not made.is_file():
            order.machine.prepare()
            with self._timed("finetune"), self._stages("finetune") as progress:
                order.kind.make_model(order.options, self._material(), folder, progress)
            made.touch()
        name = str(folder) if order.protect.finetune else order.model
        machine = {name: value for name, value in order.machine.to_mapping().items() if name != "allow_bin"}
        allow_bin = order.machine.allow_bin and not order.protect.finetune
        return Loading(**machine, allow_bin=allow_bin).load(name)

    def _material(self) -> Material:
        """What the defense makes a model of, and learns from."""
        order, train = self._order, self._splits.train
        held_out = train.with_examples([])
        if order.kind.needs.clean_data:
            train, held_out = keep_back(train, min(_CALIBRATION, len(train) // 5))
        return Material(
            model=order.model,
            data=train,
            held_out=held_out,
            finetune=order.finetuning,
            overrides=order.training,
            twin=order.protect.twin,
            loading={"device": order.machine.device, "allow_bin": order.machine.allow_bin},
        )

    def _fitted(self, defense: Defense) -> Defense:
        """The defense, once it has learned what it needs."""
        if isinstance(defense, FittedDefense):
            with self._timed("fit"), self._stages("fit") as progress:
                defense.fit(self._material(), self._parts / "fitted", progress)
            for sentence in defense.warnings:
                self._tell(f"defense '{defense.name}': {sentence}")
        return defense

    def _references(self, model: HuggingFaceClassifier) -> References | None:
        """Reference texts of the training part, where the defense searches."""
        options, material = self._order.options, self._material()
        if not isinstance(options, SearchedOptions) or not options.fuzzing:
            return None
        witnessed = self._order.kind.needs.trusted_encoder
        search = options.search if witnessed else options.search.replace(reward="transplant")
        train, held_out = material.data, material.held_out
        with self._timed("references"), self._stages("references") as progress:
            references = select_references(
                model,
                (train.texts, train.targets),
                search,
                held_out=(held_out.texts, held_out.targets),
                progress=progress,
                tell=self._tell,
            )
        audit = self._order.protect.audit
        if audit is None:
            return references
        return with_suspects(references, read_audit(Path(audit)), options, model)

    def _measure(self, model: HuggingFaceClassifier, defense: Defense) -> dict[str, Any]:
        """Accuracy without and with the defense, and false flags, on the held-out texts."""
        plain = DEFENSES.get("undefended")(model, {})
        undefended = self._answers("undefended", plain.predict, plain.together(certify=False))
        answers = self._answers("defended", defense.predict, defense.together(certify=False))
        measured: dict[str, Any] = {
            "undefended": self._accuracy(undefended),
            "defended": self._accuracy(answers),
            "no_answer": _share(sum(one["label"] is None for one in answers), len(answers)),
        }
        flagged = answers
        options = self._order.options
        if isinstance(options, SearchedOptions) and options.fuzzing:
            if not any(one["evaluations"] for one in answers):  # what it searches is not the text as received
                flagged = self._answers("scan", defense.scan, 64)
            measured["false_flags"] = _share(sum(bool(one["spans"]) for one in flagged), len(flagged))
        passes = sum(one.get("passes", 0) + one.get("evaluations", 0) for one in [*undefended, *answers])
        return {"clean": measured, "passes": passes}

    def _answers(self, title: str, ask: Callable[[Sequence[str]], Sequence[Any]], chunk: int) -> list[Record]:
        test = self._splits.test
        texts = TextInput(tuple(test.texts), tuple(range(1, len(test) + 1)), None, ())
        file = AnswerFile(self._parts / f"{title}.jsonl", {"title": title, **self._settings})
        with self._timed(title):
            return list(
                answer_all(
                    texts,
                    lambda some: [one.to_json() for one in ask(some)],
                    title=title,
                    chunk=chunk,
                    file=file,
                    stages=self._stages,
                )
            )

    def _accuracy(self, answers: Sequence[Record]) -> dict[str, Any]:
        pairs = zip(answers, self._splits.test.targets, strict=True)
        return _share(sum(one["label"] == truth for one, truth in pairs), len(answers))

    def _told(
        self, model: HuggingFaceClassifier, references: References | None, measured: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The report."""
        order, kind = self._order, self._order.kind
        train, test = self._splits.train, self._splits.test
        return {
            "defense": kind.name,
            "guarantee": kind.guarantee,
            "threats": list(kind.threats(order.options)),
            "options": order.options.to_mapping(),
            "base_model": shown(order.model),
            "finetune": order.finetuning.to_mapping() if order.protect.finetune else None,
            "model": model.fingerprint,
            "labels": list(model.labels),
            "references": 0 if references is None else len(references.texts),
            "suspects": 0 if references is None else len(references.suspects),
            "data": {
                "name": shown(order.data),
                "train": len(train),
                "train_sha256": train.fingerprint,
                "held_out": len(test),
                "held_out_sha256": test.fingerprint,
            },
            "measured": measured["clean"],
            "confidence": 0.95,
            "cost": {"passes": measured["passes"], "seconds": self._seconds, "resumed": self._resumed},
            "versions": versions(),
            "settings": self._settings,
        }

    def _save(self, model: HuggingFaceClassifier, defense: Defense, report: Mapping[str, Any]) -> None:
        order, references = self._order, defense.references
        made = [self._parts / "model" / name for name in ("training.json", f"{order.kind.name}.json")]

        def beside(folder: Path) -> None:
            write_beside(folder, order.kind.name, order.options, references, defense.fitted_in)
            write_json(folder / REPORT, report)
            write_atomic(folder / CARD, model_card(report, order.kind, order.out.name))
            for told in made:  # how the model was trained, and what its defense threw out
                if told.is_file():
                    shutil.copy(told, folder / told.name)

        model.save(order.out, beside)
        sign_model(order.out, order.protect.sign)
        if references is not None:
            remember(references_key(references, model.fingerprint))

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._seconds[phase] = round(time.perf_counter() - began, 3)


def _share(count: int, texts: int) -> dict[str, Any]:
    """A measured share, with its exact 95 % interval."""
    from fuzzsmooth.certify import clopper_pearson_interval

    low, high = clopper_pearson_interval(count, texts)
    return {"share": count / texts, "low": low, "high": high, "count": count, "texts": texts}
