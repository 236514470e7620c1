"""An experiment from attack to report on a tiny model: complete, resumable, never computed twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_atomic, write_json
from fuzzsmooth.evaluate import experiment
from fuzzsmooth.evaluate import measure as measuring
from fuzzsmooth.evaluate.experiment import ExperimentOptions, run_experiment
from fuzzsmooth.evaluate.measure import EvaluatedText, chunk_size, measure
from fuzzsmooth.evaluate.records import RECORDS_FILE, SETTINGS_FILE, RunSettings, TextRecord, read_records
from fuzzsmooth.evaluate.rows import choose, defenses
from fuzzsmooth.evaluate.stages import Counts
from fuzzsmooth.evaluate.victims import victim_options
from fuzzsmooth.fuzz import References, SearchOptions
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.report import build_report
from fuzzsmooth.smoothing import REFERENCES_FILE, SmoothedClassifier, SmoothingOptions
from fuzzsmooth.smoothing.noisy import NoisyHuggingFaceClassifier
from fuzzsmooth.training import FinetuneOptions

SIDES = (("bad", "awful", "dull"), ("good", "great", "superb"))
NEUTRAL = ("the", "a", "film", "was", "of", "story", "plot", "we", "saw")
FINETUNE = FinetuneOptions(epochs=1, learning_rate=3e-3, batch_size=8)
LABELS = ("negative", "positive")
ROWS = ("undefended", "frs-transplant", "certified")


class Watching:
    """Keeps the stages it saw and their steps; raises at a step of the stage whose title ends as given."""

    def __init__(self, kill: str = "", at: int = 0) -> None:
        self.opened: list[str] = []
        self.totals: dict[str, int] = {}
        self._kill, self._at = kill, at

    @contextmanager
    def __call__(self, title: str) -> Iterator[Counts]:
        self.opened.append(title)

        def counts(done: int, total: int) -> None:
            assert 0 < done <= total
            self.totals[title] = total
            if self._kill and title.endswith(self._kill) and done >= self._at:
                raise KeyboardInterrupt

        yield counts


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder nobody else is to hear of, with data and a tiny pre-trained model."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("experiment") / "private-place"
    generator = np.random.default_rng(0)
    for name, count in (("train", 300), ("dev", 40)):
        rows = []
        for index in range(count):
            words = [*generator.choice(SIDES[index % 2], size=3), *generator.choice(NEUTRAL, size=5)]
            label = LABELS[index % 2]
            rows.append(json.dumps({"text": " ".join(generator.permutation(words)), "label": label}) + "\n")
        write_atomic(folder / "data" / f"{name}.jsonl", "".join(rows))
    build_tiny(
        "bert", folder / "tiny", vocabulary=[*NEUTRAL, *SIDES[0], *SIDES[1], "cf"], hidden=16, layers=1
    )
    return folder


def settings(place: Path, **changes: Any) -> ExperimentOptions:
    values: dict[str, Any] = {
        "data": str(place / "data"),
        "test_size": 10,
        "model": str(place / "tiny"),
        "recipe": "badnets",
        "attack": {"words": ["cf"], "rate": 0.3, "finetune": FINETUNE.replace(epochs=4).to_mapping()},
        "finetune": FINETUNE,
        "smoothing": SmoothingOptions(
            copies=6, draws=30, alpha=0.05, search=SearchOptions(budget=16, references=2)
        ),
        "rows": ROWS,
        "certified_texts": 4,
        "precision": "float32",
    }
    return ExperimentOptions(**(values | changes))


@pytest.fixture(scope="module")
def finished(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_experiment(
        settings(place), tmp_path_factory.mktemp("run") / "out", command="fuzzsmooth evaluate"
    )


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to go on from."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def without_times(folder: Path) -> list[dict[str, Any]]:
    return [{**record.to_json(), "seconds": 0} for record in read_records(folder / RECORDS_FILE)]


def test_every_text_of_every_row_is_recorded(finished: Path) -> None:
    records = read_records(finished / RECORDS_FILE)
    target = RunSettings.read(finished / SETTINGS_FILE).target
    test = [record for record in records if (record.defense, record.split) == ("undefended", "clean")]
    assert [record.index for record in test] == list(range(10))
    for row in ROWS:
        count = 4 if row == "certified" else 10
        of_row = [record for record in records if record.defense == row]
        clean = [record for record in of_row if record.split == "clean"]
        triggered = [record for record in of_row if record.split == "triggered"]
        assert [record.index for record in clean] == list(range(count))
        wanted = [record.index for record in test[:count] if record.label != target]
        assert [record.index for record in triggered] == wanted, "texts of the target class need no trigger"
        assert all(record.label != target for record in triggered)


def test_triggers_are_where_the_records_say(finished: Path) -> None:
    for record in read_records(finished / RECORDS_FILE):
        assert [record.text[start:end] for start, end in record.trigger] == ["cf"] * (
            record.split == "triggered"
        )


def test_rows_differ_in_what_they_record(finished: Path) -> None:
    records = read_records(finished / RECORDS_FILE)
    by_row = {row: [record for record in records if record.defense == row] for row in ROWS}
    assert all(
        (r.draws, r.votes, r.evaluations, r.guarantee) == (0, (), 0, "empirical")
        for r in by_row["undefended"]
    )
    for record in by_row["frs-transplant"]:
        assert record.draws == sum(record.votes) == 6
        assert record.prediction == int(np.argmax(record.votes))
        assert record.guarantee == "conditional"
        assert 0 < record.evaluations <= 16
        assert set(record.radii) <= {"conditional-trigger"}
    for record in by_row["certified"]:
        assert 0 < record.draws <= 30
        assert (record.guarantee, record.evaluations, record.spans) == ("proved", 0, ())
        assert set(record.radii) in ({"edit", "insert", "backward", "delete"}, set())
        assert (record.prediction is None) == (not record.radii)


def test_the_backdoor_works_on_the_undefended_victim(finished: Path) -> None:
    records = read_records(finished / RECORDS_FILE)
    triggered = [r for r in records if (r.defense, r.split) == ("undefended", "triggered")]
    assert len(triggered) >= 3
    assert sum(record.prediction == 1 for record in triggered) > len(triggered) / 2


def test_settings_name_everything_but_no_local_place(finished: Path, place: Path) -> None:
    content = (finished / SETTINGS_FILE).read_text("utf-8")
    assert "private-place" not in content
    assert str(finished) not in content
    told = json.loads(content)
    assert told["model"]["name"] == told["attack"]["model"] == told["options"]["model"] == "tiny"
    assert told["dataset"]["name"] == told["options"]["data"] == "data"
    assert {len(told["model"][f"seed 0, {kind}"]) for kind in ("plain", "noisy", "deletion")} == {64}
    assert told["attack"]["recipe"] == "badnets"
    assert told["dataset"]["train"] == 300
    assert told["dataset"]["test"] == 10
    assert told["command"] == "fuzzsmooth evaluate"
    assert told["seeds"] == [0]
    assert set(told["versions"]) == {"fuzzsmooth", "torch", "transformers", "numpy"}
    assert told["options"]["smoothing"]["search"]["budget"] == 16


def test_the_report_can_be_built(folder: Path) -> None:
    page = build_report(folder)
    assert page.read_text("utf-8").count("frs-transplant") >= 1
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert [row["defense"] for row in summary["rows"]] == list(ROWS)


def test_victims_have_their_references(finished: Path) -> None:
    assert not (finished / "seed0" / "plain" / REFERENCES_FILE).exists(), "nothing searches for it"
    for kind in ("noisy", "deletion"):
        victim = finished / "seed0" / kind
        references = References.load(victim / REFERENCES_FILE)
        classifier = load_classifier(str(victim), labels=LABELS, precision="float32", max_length=128)
        assert references.model == classifier.fingerprint
        assert sorted(references.labels) == [0, 0, 1, 1]
        predicted = classifier.probabilities(references.texts).argmax(axis=1)
        assert predicted.tolist() == list(references.labels)


def test_a_finished_run_computes_nothing_again(folder: Path, place: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != SETTINGS_FILE}
    watching = Watching()
    run_experiment(settings(place), folder, stages=watching)
    assert watching.opened == []
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != SETTINGS_FILE}
    assert {path for path in after if path.is_file() and before[path] != after[path]} == set()


def test_rows_may_be_added_later(folder: Path, place: Path) -> None:
    before = (folder / RECORDS_FILE).read_bytes()
    watching = Watching()
    run_experiment(settings(place, rows=(*ROWS, "uniform", "budget-8")), folder, stages=watching)
    assert watching.opened == ["seed 0: uniform", "seed 0: budget-8"], "no training"
    content = (folder / RECORDS_FILE).read_bytes()
    assert content.startswith(before)
    added = [r for r in read_records(folder / RECORDS_FILE) if r.defense == "uniform"]
    assert {record.guarantee for record in added} == {"conditional"}, "noise has shared batches"
    assert build_report(folder).is_file()


def test_rows_do_not_depend_on_which_others_are_run(finished: Path, place: Path, tmp_path: Path) -> None:
    alone = run_experiment(settings(place, rows=("certified",)), tmp_path / "alone")
    expected = [row for row in without_times(finished) if row["defense"] == "certified"]
    assert without_times(alone) == expected


@pytest.mark.parametrize(
    ("stage", "at"),
    [("attack (badnets)", 5), ("fine-tune (noisy)", 5), ("frs-transplant", 8), ("certified", 1)],
)
def test_a_killed_run_goes_on_without_loss_or_duplicates(
    finished: Path, place: Path, tmp_path: Path, stage: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_CHUNK", "_SCANNED"):
        monkeypatch.setattr(measuring, name, 4)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(settings(place), out, stages=Watching(stage, at))
    kept = len(read_records(out / RECORDS_FILE)) if (out / RECORDS_FILE).exists() else 0
    if kept:
        assert RunSettings.read(out / SETTINGS_FILE).mapping["unfinished"] is True
        assert "was stopped before all" in build_report(out).read_text("utf-8")
    resumed = Watching()
    run_experiment(settings(place), out, stages=resumed)
    assert without_times(out) == without_times(finished), "as if it had never been killed"
    assert "unfinished" not in RunSettings.read(out / SETTINGS_FILE).mapping
    assert "was stopped before all" not in build_report(out).read_text("utf-8")
    measured = sum(resumed.totals.get(f"seed 0: {row}", 0) for row in ROWS)
    assert measured == len(without_times(finished)) - kept, "what was recorded is not measured again"
    titles = resumed.opened
    assert ("seed 0: attack (badnets)" in titles) == stage.startswith("attack")
    assert ("seed 0: fine-tune (noisy)" in titles) == (stage.startswith(("attack", "fine-tune")))
    assert len(titles) == len(set(titles))


def test_a_run_killed_oftener_than_a_row_lasts_comes_to_its_end(
    finished: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt dies after eight texts, in the middle of a row and while the last are being written."""
    for name in ("_CHUNK", "_SCANNED"):
        monkeypatch.setattr(measuring, name, 4)
    answered, out = 0, tmp_path / "out"

    def measure_some(*arguments: Any) -> Any:
        nonlocal answered
        answered += len(arguments[2])
        if answered > 8:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(experiment, "measure", measure_some)
    options = settings(place, victims=str(victims_of(finished, tmp_path)))
    attempts = 0
    while attempts < 20:
        attempts, answered = attempts + 1, 0
        try:
            run_experiment(options, out)
        except KeyboardInterrupt:
            records = out / RECORDS_FILE
            os.truncate(records, records.stat().st_size - 9)
            continue
        break
    assert len(ROWS) < attempts < 20
    assert without_times(out) == without_times(finished)


def victims_of(finished: Path, tmp_path: Path) -> Path:
    """The victims of the finished run as a folder that may be shared."""
    victims = tmp_path / "victims"
    if not victims.exists():
        shutil.copytree(finished / "seed0", victims / "seed0")
        marked = json.loads((finished / "experiment.json").read_text())
        options = marked["options"]
        names = ("model", "recipe", "attack", "finetune", "train_sha256")
        noise = {name: options["smoothing"][name] for name in ("sigma", "top_layers", "rate")}
        kept = {name: options[name] for name in names} | noise
        write_json(victims / "experiment.json", {**marked, "options": kept})
    return victims


def test_what_is_answered_together_takes_some_seconds() -> None:
    certified = SmoothingOptions(mode="certified", sigma=0.0, draws=1000)
    assert chunk_size(certified) == 2
    assert chunk_size(certified.replace(draws=10_000)) == 1
    assert chunk_size(certified.replace(draws=10)) == 64
    assert chunk_size(certified.replace(fuzz_left="search")) == 1
    assert chunk_size(SmoothingOptions(mode="frs")) == 16
    assert chunk_size(None) == 64


def test_a_second_process_is_refused(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    holder = "import sys; from pathlib import Path; from fuzzsmooth.common.locking import exclusive\n"
    holder += "with exclusive(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(FuzzsmoothError, match="out is being written by another process"):
            run_experiment(settings(place), out)
        assert not out.exists()
        process.communicate()


def test_a_victim_too_weak_for_references_leaves_what_was_measured(place: Path, tmp_path: Path) -> None:
    weak = settings(place, finetune=FINETUNE.replace(learning_rate=1e-9), test_size=6)
    weak = weak.replace(attack={**weak.attack, "finetune": FINETUNE.replace(learning_rate=1e-9).to_mapping()})
    with pytest.raises(FuzzsmoothError, match="no clean text of class"):
        run_experiment(weak, tmp_path / "out")
    page = build_report(tmp_path / "out").read_text("utf-8")
    assert "was stopped before all" in page
    assert {record.defense for record in read_records(tmp_path / "out" / RECORDS_FILE)} == {"undefended"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"attack": {"trigger": "word"}, "recipe": "ripple"}, "unknown option 'trigger'"),
        ({"attack": {"rate": 3.0}}, "rate must be"),
        ({"attack": {"target": 7}}, "target label 7 is no class"),
        ({"attack": {"rate": 1e-9}}, "rate"),
        ({"model": "/nowhere"}, "nowhere"),
    ],
)
def test_a_command_that_failed_at_once_can_be_corrected(
    place: Path, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(FuzzsmoothError, match=said):
        run_experiment(settings(place, rows=("undefended",), **wrong), out)

    class BegunError(Exception):
        pass

    @contextmanager
    def begin(title: str) -> Iterator[Counts]:
        raise BegunError
        yield

    with pytest.raises(BegunError):
        run_experiment(settings(place, rows=("undefended",)), out, stages=begin)


def test_another_seed_adds_a_whole_run(folder: Path, place: Path) -> None:
    run_experiment(settings(place, rows=("undefended",), seeds=(0, 1)), folder)
    records = [record for record in read_records(folder / RECORDS_FILE) if record.defense == "undefended"]
    assert {record.seed for record in records} == {0, 1}
    assert (folder / "seed1" / "attacked" / "attack.json").is_file()


@pytest.mark.parametrize(
    "change",
    [
        {"test_size": 9},
        {"smoothing": SmoothingOptions(copies=7)},
        {"finetune": FINETUNE.replace(epochs=2)},
        {"certified_texts": 5},
    ],
)
def test_other_settings_are_refused(folder: Path, place: Path, change: dict[str, Any]) -> None:
    with pytest.raises(
        FuzzsmoothError, match="holds a run with other settings or data; choose another folder"
    ):
        run_experiment(settings(place, **change), folder)


def test_runs_may_share_their_victims(finished: Path, place: Path, tmp_path: Path) -> None:
    victims = tmp_path / "victims"
    first = settings(place, rows=("undefended",), victims=str(victims))
    run_experiment(first, tmp_path / "first")
    watching = Watching()
    second = first.replace(certified_texts=2, test_size=8)
    run_experiment(second, tmp_path / "second", stages=watching)
    assert watching.opened == ["seed 0: undefended"], "nothing is trained twice"
    told = (tmp_path / "second" / SETTINGS_FILE).read_text("utf-8")
    assert str(tmp_path) not in told
    expected = [row for row in without_times(finished) if row["defense"] == "undefended"]
    assert without_times(tmp_path / "first") == expected, "as if they were the run's own"
    for change in ({"finetune": FINETUNE.replace(epochs=2)}, {"smoothing": SmoothingOptions(rate=0.8)}):
        with pytest.raises(FuzzsmoothError, match="victims holds a run with other settings or data"):
            run_experiment(settings(place, victims=str(victims), **change), tmp_path / "third")
        shutil.rmtree(tmp_path / "third")


def test_a_folder_of_something_else_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FuzzsmoothError, match="is not empty and holds no run"):
        run_experiment(settings(place), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": ("undefended", "frs-magic")}, "unknown row 'frs-magic'; known: undefended, frs-kl"),
        ({"rows": ("budget-7",)}, "unknown row 'budget-7'"),
        ({"rows": ()}, "rows must name at least one row"),
        ({"seeds": ()}, "seeds must name at least one seed"),
        ({"seeds": (-1,)}, "seeds must lie between 0 and"),
        ({"certified_texts": 0}, "certified_texts must lie between 1 and"),
        ({"batch_size": 0}, "batch_size must lie between 1 and 65,536"),
        ({"precision": "half"}, "'half' is not one of"),
    ],
)
def test_options_are_checked(place: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        settings(place, **wrong)


def test_unknown_recipes_and_attack_options_are_told(place: Path, tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="magic"):
        run_experiment(settings(place, recipe="magic"), tmp_path / "a")
    with pytest.raises(
        FuzzsmoothError, match=r"attack 'badnets': unknown option 'word'; did you mean 'words'"
    ):
        run_experiment(settings(place, attack={"word": ["cf"]}), tmp_path / "b")


def test_options_round_trip(place: Path) -> None:
    options = settings(place, budgets=(4, 9), rows=("budget-9",))
    again = ExperimentOptions.from_mapping(json.loads(json.dumps(options.to_mapping())))
    assert again == options


def test_victims_are_trained_as_their_defense_wants(place: Path) -> None:
    options = settings(place, smoothing=SmoothingOptions(sigma=0.02, top_layers=1, rate=0.8))
    plain, noisy, deletion = (victim_options(kind, options, 5) for kind in ("plain", "noisy", "deletion"))
    assert {victim.seed for victim in (plain, noisy, deletion)} == {5}
    assert (plain.sigma, plain.text_noise) == (0.0, "none")
    assert (noisy.sigma, noisy.top_layers, noisy.text_noise) == (0.02, 1, "none")
    assert (deletion.text_noise, deletion.text_rate) == ("delete", 0.8)


def test_every_row_has_a_defense_of_its_own() -> None:
    rows = defenses(SmoothingOptions(), (8, 64))
    assert rows["undefended"].options is None
    assert rows["budget-8"].options is not None
    assert rows["budget-8"].options.search.budget == 8
    assert rows["frs-kl"].options is not None
    assert rows["frs-kl"].options.search.reward == "kl"
    assert rows["noise-inference-only"].victim == "plain"
    own = {name: defense for name, defense in rows.items() if not name.startswith("budget")}
    distinct = {json.dumps([row.victim, row.options and row.options.to_mapping()]) for row in own.values()}
    assert len(distinct) == len(own)
    assert list(choose(rows, ("certified", "undefended"))) == ["certified", "undefended"]


def test_measuring_gives_what_records_take(finished: Path) -> None:
    victim = finished / "seed0" / "noisy"
    classifier = load_classifier(str(victim), labels=LABELS, precision="float32")
    references = References.load(victim / REFERENCES_FILE)
    text = EvaluatedText("clean", 3, "a good film", 1)
    for name, defense in defenses(SmoothingOptions(copies=4, draws=10), (8,)).items():
        smoothed = defense.options and SmoothedClassifier(
            NoisyHuggingFaceClassifier(classifier), defense.options, references
        )
        (result,) = measure(classifier, smoothed, [text.text])
        record = TextRecord(
            seed=0, defense=name, split=text.split, index=text.index, text=text.text, label=text.label,
            prediction=result.prediction, votes=result.votes, draws=result.draws, spans=result.spans,
            radii=result.radii, guarantee=result.guarantee, evaluations=result.evaluations,
        )  # fmt: skip
        assert TextRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
        assert (result.guarantee == "proved") == (
            name in ("certified", "certified-nofuzz", "certified-search", "windows")
        )


def test_changed_data_are_refused(folder: Path, place: Path) -> None:
    """Records of one data set never go into the report of another, even where the path is the same."""
    train = place / "data" / "train.jsonl"
    rows = train.read_text("utf-8")
    try:
        train.write_text(rows.replace("good", "fine"), "utf-8")
        with pytest.raises(FuzzsmoothError, match="other settings or data"):
            run_experiment(settings(place), folder)
    finally:
        train.write_text(rows, "utf-8")
