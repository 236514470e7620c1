"""From a model and data to one folder: whole or not at all, resumable, and true in what it says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import fuzzsmooth
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.jobs.protect import CARD, REPORT, protect_model
from fuzzsmooth.search import References

TRAINING = {"epochs": 6, "learning_rate": 5e-3}
FAST: dict[str, Any] = {"finetune": TRAINING, "copies": 4, "search": {"budget": 8, "references": 2}}


def protect(tiny: Path, data: Path, out: Path, **more: Any) -> dict[str, Any]:
    return protect_model(str(tiny), str(data), out, **{**FAST, **more})


@pytest.fixture(scope="module")
def made(tiny: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An undisturbed run."""
    out = tmp_path_factory.mktemp("protected") / "mine"
    return out, protect(tiny, data, out)


def test_the_folder_is_complete_and_every_way_in_takes_it(made, data):
    out, report = made
    assert json.loads((out / REPORT).read_text("utf-8")) == json.loads(json.dumps(report))
    assert not out.with_name("mine.protecting").exists()
    for model in (fuzzsmooth.protect(out), fuzzsmooth.SmoothedClassifier.from_pretrained(str(out))):
        assert model.name == "frs"
        assert model.options.copies == 4
        assert model.options.search.budget == 8
        assert len(model.references.texts) == report["references"] == 4
        assert model.classifier.fingerprint == report["model"]


def test_the_report_counts_what_the_defended_model_answers(made, data):
    out, report = made
    measured, model = report["measured"], fuzzsmooth.protect(out)
    from fuzzsmooth.jobs.holding_out import hold_out

    held_out = hold_out(str(data), None, {}).test
    assert report["data"]["held_out"] == len(held_out) == 20
    assert held_out.fingerprint == report["data"]["held_out_sha256"]
    answers = model.predict(held_out.texts)
    correct = sum(one.label == truth for one, truth in zip(answers, held_out.targets, strict=True))
    assert (measured["defended"]["count"], measured["defended"]["texts"]) == (correct, 20)
    flagged = sum(bool(one.spans) for one in model.scan(held_out.texts))
    assert measured["false_flags"]["count"] == flagged
    plain = fuzzsmooth.protect(model.classifier, "undefended").predict(held_out.texts)
    right = sum(one.label == truth for one, truth in zip(plain, held_out.targets, strict=True))
    assert measured["undefended"]["count"] == right
    for share in measured.values():
        assert share["low"] <= share["share"] <= share["high"]
    # 14 of 20 is a share whose exact interval is known from tables.
    from fuzzsmooth.jobs.protect import _share

    assert (_share(14, 20)["low"], _share(14, 20)["high"]) == pytest.approx((0.4572, 0.8811), abs=1e-4)


def test_the_victim_is_fine_tuned_for_the_defense(made, tiny, data, tmp_path):
    training = json.loads((made[0] / "training.json").read_text("utf-8"))
    assert training["options"]["sigma"] == 0.01
    assert training["options"]["epochs"] == 6
    options = {"rate": 0.5, "draws": 20, "fuzzing": False}
    report = protect_model(
        str(tiny), str(data), tmp_path / "o", "deletion", finetune={"epochs": 1}, holdout=5, **options
    )
    assert (report["finetune"]["text_noise"], report["finetune"]["text_rate"]) == ("delete", 0.5)
    assert report["references"] == 0
    assert "false_flags" not in report["measured"]
    assert report["measured"]["defended"]["texts"] == 5


def test_rates_by_length_are_chosen_on_the_training_texts_and_saved(tiny, tmp_path):
    rows = [{"text": f"a {word} film" + " of it" * size, "label": label}
            for size in range(12) for label, word in ((0, "bad"), (1, "good"))]  # fmt: skip
    data = tmp_path / "lengths.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    options = {"rate": 0.85, "rates_by_length": True, "draws": 20, "fuzzing": False}
    given = {"finetune": {"epochs": 1}, "holdout": 4, **options}
    report = protect_model(str(tiny), str(data), tmp_path / "o", "deletion", **given)
    from fuzzsmooth.jobs.holding_out import hold_out

    lengths = [len(text.split()) for text in hold_out(str(data), 4, {}).train.texts]
    saved = fuzzsmooth.protect(tmp_path / "o")
    kept = saved.options.kept_units
    mean = sum(min(0.95, max(0.8, 1 - kept / length)) for length in lengths) / len(lengths)
    assert mean == pytest.approx(0.85, abs=0.005)
    trained = report["finetune"]
    assert (trained["text_kept"], trained["text_rate"], trained["text_rate_short"]) == (kept, 0.95, 0.8)
    answer = saved.certify(["a good film of it of it of it"])[0]
    assert answer.certificates[0].rates["deletion"] == pytest.approx(max(0.8, 1 - kept / 9), abs=1e-9)
    again = protect_model(str(tiny), str(data), tmp_path / "o", "deletion", **given)
    assert again == json.loads(json.dumps(report)), "done so already"
    with pytest.raises(FuzzsmoothError, match="chosen on training texts, by 'protect'"):
        fuzzsmooth.protect(saved.classifier, "deletion", **options)


def test_references_are_none_of_the_texts_that_are_measured_on(tiny, tmp_path):
    rows = [{"text": f"{text} {index}", "label": label} for index in range(12) for label, text in LABELED]
    data = tmp_path / "distinct.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    protect(tiny, data, tmp_path / "out")
    from fuzzsmooth.jobs.holding_out import hold_out

    splits = hold_out(str(data), None, {})
    held_out = set(splits.test.texts)
    assert len(held_out) == round(0.2 * len(rows))
    assert not held_out & set(splits.train.texts)
    chosen = References.load(tmp_path / "out" / "fuzzsmooth-references.json")
    assert set(chosen.texts) <= set(splits.train.texts)


LABELED = [(0, "a bad film"), (1, "a good film"), (0, "the story was dull"), (1, "the story was great")]


def test_the_card_says_what_is_promised_and_what_was_measured(made):
    out, report = made
    card = (out / CARD).read_text("utf-8")
    share = report["measured"]["defended"]
    for said in (
        "`frs`",
        report["model"],
        report["data"]["train_sha256"],
        f"{share['count']} of {share['texts']}",
        "**conditional**",
        "Not covered",
        "`search.budget` | `8`",
        "fuzzsmooth certify",
    ):
        assert said in card
    (warning,) = report["warnings"]  # so small a model guesses
    assert f"**Warning**: {warning}." in card
    from huggingface_hub import ModelCard

    told = ModelCard(card).data
    assert (told.library_name, told.pipeline_tag) == ("fuzzsmooth", "text-classification")
    results = {one.metric_name: one.metric_value for one in told.eval_results}
    assert results["Clean accuracy, defended"] == share["share"]
    assert str(out.parent) not in card + (out / REPORT).read_text("utf-8"), "private paths stay private"


class Stop(BaseException):
    """As a Ctrl-C, or a kill."""


def stopping(moment: int) -> Any:
    """Stages that end everything at the given step of progress."""
    seen = 0

    @contextmanager
    def stages(title: str) -> Iterator[Any]:
        def counts(_done: int, _total: int) -> None:
            nonlocal seen
            seen += 1
            if seen == moment:
                raise Stop(title)

        yield counts

    return stages


def test_stopped_anywhere_it_goes_on_and_gives_the_same_folder(made, tiny, data, tmp_path):
    undisturbed, told = made[0], []
    out, stops = tmp_path / "mine", []
    for moment in (7, 5, 4, 4, 5):  # an epoch has two steps, and each leaves a checkpoint
        with pytest.raises(Stop) as stop:
            protect(tiny, data, out, stages=stopping(moment), tell=told.append)
        stops.append(str(stop.value))
        assert not out.exists()
    assert stops == ["finetune", "finetune", "references", "undefended", "defended"]
    report = protect(tiny, data, out, tell=told.append)
    assert "going on where a stopped run was" in told
    assert report["cost"]["resumed"]
    for file in undisturbed.iterdir():
        if file.name != REPORT:
            assert (out / file.name).read_bytes() == file.read_bytes(), file.name
    whole = json.loads((undisturbed / REPORT).read_text("utf-8"))
    whole["cost"].pop("seconds"), report["cost"].pop("seconds")
    whole["cost"].pop("resumed"), report["cost"].pop("resumed")
    assert report == whole


def test_a_finished_run_is_not_done_again(made, tiny, data, tmp_path):
    out = Path(shutil.copytree(made[0], tmp_path / "mine"))
    told: list[str] = []
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    report = protect(tiny, data, out, tell=told.append, stages=stopping(1))
    assert report == json.loads(json.dumps(made[1]))
    assert "is protected so already" in told[-1]
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    with pytest.raises(Stop):
        protect(tiny, data, out, stages=stopping(1), copies=5)  # another defended model replaces it
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before, "at its end only"
    with pytest.raises(FuzzsmoothError, match="is of a stopped run with another model, data or options"):
        protect(tiny, data, out, copies=6)


def test_a_model_that_is_only_wrapped(made, data, tmp_path):
    report = protect(made[0], data, tmp_path / "wrapped", finetune=False)
    assert report["model"] == made[1]["model"]
    assert report["finetune"] is None
    assert not (tmp_path / "wrapped" / "training.json").exists()
    assert fuzzsmooth.protect(tmp_path / "wrapped").options.copies == 4


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"holdout": 100}, "leaves none of the 100 texts"),
        ({"holdout": 2.5}, "a share below 1 or a whole number of texts"),
        ({"holdout": 0}, "holdout must be above 0"),
        ({"defense": "magic"}, "unknown defense 'magic'"),
        ({"copys": 3}, "did you mean 'copies'?"),
        ({"finetune": {"epoch": 3}}, "did you mean 'epochs'?"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(tiny, data, tmp_path, more, said):
    with pytest.raises(FuzzsmoothError, match=said) as error:
        protect(tiny, data, tmp_path / "out", **more)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("out*"))


def test_somebody_elses_folder_is_left_alone(tiny, data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(FuzzsmoothError, match="holds other files"):
        protect(tiny, data, tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"
