"""How often the search finds the whole trigger, by search strategy and budget.

This is the search-depth experiment: the tree search against greedy and random search at equal budgets.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from fuzzsmooth import models
from fuzzsmooth.attacks import ATTACKS, Planted, TriggeredText, load_attack
from fuzzsmooth.bench.marking import claim
from fuzzsmooth.bench.metrics import covers
from fuzzsmooth.bench.points import POINTS_FILE, LocalizationPoint
from fuzzsmooth.bench.stages import Stages, as_advance, silent_stages
from fuzzsmooth.certify import clopper_pearson_interval
from fuzzsmooth.common.files import Ledger
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import Dataset, Splits, load_splits
from fuzzsmooth.data.telling import Tell, tell_rows, unheard
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search import References, Scan, Scanner, SearchOptions, select_references
from fuzzsmooth.text import segmenter
from fuzzsmooth.training import FinetuneOptions, splits_for

STRATEGIES = ("tree", "greedy", "random")


@dataclass(frozen=True, kw_only=True)
class LocalizationOptions(Options):
    """The search-depth experiment."""

    data: Annotated[str, "A data set as :func:`fuzzsmooth.data.load_splits` takes it."] = "builtin:reviews"
    train_size: Annotated[
        int | None, Between(1, 1_000_000_000), "Training texts at most, drawn at random; None for all."
    ] = None
    test_size: Annotated[
        int | None,
        Between(1, 1_000_000_000),
        "Test texts at most, drawn at random; None for all. Those not of the target class are triggered.",
    ] = 200
    clean_size: Annotated[
        int, Between(1, 1_000_000_000), "How many of them are also scanned as they are, for the false flags."
    ] = 25
    model: Annotated[str, "The clean pre-trained model that BadNets is planted in."] = "builtin:minilm"
    triggers: Annotated[tuple[str, ...], "Kinds of trigger, one victim each."] = ("pair", "sentence")
    target: Annotated[int, Between(0, 1_000_000), "The class index that the triggers force."] = 1
    strategies: Annotated[tuple[str, ...], "Search strategies."] = STRATEGIES
    budgets: Annotated[tuple[int, ...], Between(1, 1_000_000), "Most evaluations per text."] = (
        8,
        16,
        32,
        64,
        128,
        256,
        512,
    )
    finetune: Annotated[FinetuneOptions, "How the victims are trained."] = field(
        default_factory=lambda: FinetuneOptions(epochs=2)
    )
    search: Annotated[SearchOptions, "Search options other than strategy and budget."] = field(
        default_factory=SearchOptions
    )
    seed: Annotated[int, Between(0, SEEDS), "Seed of everything."] = 0
    victims: Annotated[
        str | None,
        "Folder of the attacked models, to share them between runs that differ only in what searches; "
        "None keeps them in the folder of the run.",
    ] = None
    precision: Annotated[Literal["auto", "float32", "bfloat16"], "Arithmetic of the evaluations."] = "auto"
    batch_size: Annotated[int, Between(1, 65_536), "Texts per forward pass."] = 64

    def validate(self) -> None:
        """Check that there is something to measure; the parts check their own values."""
        for name in ("triggers", "strategies", "budgets"):
            require(bool(getattr(self, name)), f"LocalizationOptions.{name} must not be empty")
        for strategy in self.strategies:
            require(
                strategy in STRATEGIES,
                f"unknown search strategy '{strategy}'; known: {', '.join(STRATEGIES)}",
            )


def run_localization(
    options: LocalizationOptions,
    out: Path,
    *,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
) -> list[LocalizationPoint]:
    """Train the victims and measure every point that is not in ``out`` yet.

    Args:
        options: The experiment.
        out: Folder of the run; the points are kept in its ``localization.jsonl``.
        stages: Progress display.
        tell: Told what was assumed of the data, and which rows were left out.

    Returns:
        All points, by trigger, strategy and budget.
    """
    splits = load_splits(options.data, train_size=options.train_size, test_size=options.test_size)
    splits = splits_for(options.model, splits)
    tell_rows(tell, splits.train, splits.test)
    data = {"train_sha256": splits.train.fingerprint, "test_sha256": splits.test.fingerprint}
    defaults = LocalizationOptions().to_mapping()
    with exclusive(out):
        claim(out, options.to_mapping() | data, defaults)
        return _points(options, splits, out, stages)


def _points(
    options: LocalizationOptions, splits: Splits, out: Path, stages: Stages
) -> list[LocalizationPoint]:
    victims = out if options.victims is None else Path(options.victims)
    if victims != out:
        mapping = options.to_mapping()
        names = ("model", "target", "finetune", "seed")
        data = {"train_sha256": splits.train.fingerprint}
        with exclusive(victims):
            claim(
                victims,
                {name: mapping[name] for name in names} | data,
                LocalizationOptions().to_mapping(),
            )
    test = splits.test
    ledger = Ledger(out / POINTS_FILE)
    points = []
    for kind in options.triggers:
        wanted = [(strategy, budget) for strategy in options.strategies for budget in options.budgets]
        if any(f"{kind}/{strategy}/{budget}" not in ledger for strategy, budget in wanted):
            attack = _attack(options, splits, victims / kind, kind, stages)
            classifier = models.load_classifier(
                str(attack.folder),
                precision=options.precision,
                batch_size=options.batch_size,
                max_length=options.finetune.max_length,
            )
            train = splits.train
            search = options.search.replace(reward="transplant")
            references = select_references(classifier, (train.texts, train.targets), search)
            for strategy, budget in wanted:
                if f"{kind}/{strategy}/{budget}" not in ledger:
                    search = options.search.replace(strategy=strategy, budget=budget)
                    point = _measure(classifier, references, attack, kind, test, search, options, stages)
                    ledger.append([{"key": point.key, **asdict(point)}])
        keys = [f"{kind}/{strategy}/{budget}" for strategy, budget in wanted]
        points += [LocalizationPoint.from_json(ledger[key], f"{ledger.path}, '{key}'") for key in keys]
    return points


def _attack(options: LocalizationOptions, splits: Splits, folder: Path, kind: str, stages: Stages) -> Planted:
    if (folder / "attack.json").is_file():
        return load_attack(folder)
    badnets = ATTACKS.get("badnets")
    settings = badnets.options_type.from_mapping(
        {"trigger": kind, "target": options.target, "finetune": options.finetune}, where="badnets"
    )
    with stages(f"{kind}: attack (badnets)") as counts:
        return badnets().plant(options.model, splits, folder, settings, options.seed, counts, resume=True)


def _measure(
    classifier: Classifier,
    references: References,
    attack: Planted,
    kind: str,
    test: Dataset,
    search: SearchOptions,
    options: LocalizationOptions,
    stages: Stages,
) -> LocalizationPoint:
    planted = [
        attack.trigger.apply(example.text, generator(options.seed, "test-trigger", index))
        for index, example in enumerate(test)
        if example.label != attack.target and attack.trigger.acts_on(example.text)
    ]
    require(
        all(text.spans is not None for text in planted),
        f"a trigger of kind '{kind}' is the whole text and in no place; name kinds that are inserted",
    )
    scanner = Scanner(classifier, search, segmenter("word"), references)
    title = f"{kind}: {search.strategy} search, {search.budget} evaluations"
    untouched = test.texts[: options.clean_size]
    with stages(title) as counts:
        advance = as_advance(counts, len(planted) + len(untouched))
        began = time.perf_counter()
        scans = scanner.scan([text.text for text in planted], options.seed, advance)
        clean = scanner.scan(untouched, options.seed, advance)
        seconds = (time.perf_counter() - began) / (len(planted) + len(untouched))
    return _point(kind, search.strategy, search.budget, planted, scans, clean, seconds)


def _point(
    name: str,
    strategy: str,
    budget: int,
    planted: Sequence[TriggeredText],
    scans: Sequence[Scan],
    clean: Sequence[Scan],
    seconds: float,
) -> LocalizationPoint:
    found = sum(
        covers(text.text, [(span.start, span.end) for span in scan.spans], text.spans or ())
        for scan, text in zip(scans, planted, strict=True)
    )
    low, high = clopper_pearson_interval(found, len(scans))
    extra = sum(_outside(scan, text.spans or ()) for scan, text in zip(scans, planted, strict=True))
    return LocalizationPoint(
        trigger=name,
        strategy=strategy,
        budget=budget,
        recall=found / len(scans),
        low=low,
        high=high,
        triggered=len(scans),
        false_flags=sum(bool(scan.spans) for scan in clean) / len(clean),
        clean=len(clean),
        extra_characters=extra / len(scans),
        evaluations=sum(scan.evaluations for scan in scans) / len(scans),
        evaluations_clean=sum(scan.evaluations for scan in clean) / len(clean),
        seconds=seconds,
    )


def _outside(scan: Scan, trigger: Sequence[tuple[int, int]]) -> int:
    planted = {at for start, end in trigger for at in range(start, end)}
    return sum(at not in planted for span in scan.spans for at in range(span.start, span.end))
