"""The pipeline answers as the defense does, shaped as transformers; no bare model takes its place."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest
from interop_model import TEXTS, WINDOWS

import fuzzsmooth
from fuzzsmooth.common.errors import FuzzsmoothError


@pytest.fixture(scope="module")
def answers(saved):
    return fuzzsmooth.protect(saved).certify(TEXTS)


@pytest.fixture(scope="module")
def classify(saved):
    return fuzzsmooth.pipeline(saved)


def test_transformers_knows_the_task_and_loads_a_folder_with_its_defense(saved, answers):
    from transformers import pipeline

    import fuzzsmooth.apps.interop.pipeline  # registers the task

    found = pipeline("certified-text-classification", model=str(saved))
    told = found(TEXTS)
    assert [one["label"] for one in told] == [one.label_name for one in answers]
    assert [one["score"] for one in told] == [one.score for one in answers]
    assert [one["radius"] for one in told] == [one.certificates[0].radius for one in answers]
    assert told[0]["certificate"] == answers[0].certificates[0].statement()
    assert (told[0]["threat"], told[0]["guarantee"], told[0]["spans"]) == ("contiguous_insert", "proved", [])
    loaded = pipeline("certified-text-classification", model=fuzzsmooth.protect(saved))
    assert loaded(TEXTS) == told


def test_arguments_of_protect_are_handed_on_by_transformers(tiny):
    from transformers import pipeline

    given = {"defense": "windows", "reach": 2, "fuzzing": False}
    found = pipeline("certified-text-classification", model=str(tiny), model_kwargs={"protecting": given})
    assert (found.defense.name, found.defense.options.reach) == ("windows", 2)


def test_shapes_are_those_of_text_classification(tiny, classify):
    from transformers import pipeline

    plain = pipeline("text-classification", model=str(tiny))
    for inputs in ("a moving film", ["a moving film", "tedious"], {"text": "tedious"}):
        for more in ({}, {"top_k": None}, {"top_k": 1}):
            if isinstance(inputs, dict) and not more:
                continue  # transformers gives a bare dictionary here; ours is a list as for a string
            ours, theirs = classify(inputs, **more), plain(inputs, **more)
            assert _shape(ours) == _shape(theirs), (inputs, more)


def _shape(value):
    """Nesting and lengths; keys "label" and "score" are what both have."""
    if isinstance(value, dict):
        assert {"label", "score"} <= value.keys()
        return "entry"
    return [_shape(one) for one in value]


@pytest.mark.parametrize("size", [1, 2, 64])
def test_answers_do_not_depend_on_batches(classify, answers, size):
    assert [one["radius"] for one in classify(TEXTS, batch_size=size)] == [
        one.certificates[0].radius for one in answers
    ]


def test_data_sets_and_generators_are_gone_through_lazily(classify):
    from torch.utils.data import Dataset
    from transformers.pipelines.pt_utils import KeyDataset

    class Rows(Dataset):
        asked: ClassVar[list[int]] = []

        def __len__(self):
            return len(TEXTS)

        def __getitem__(self, index):
            self.asked.append(index)
            return {"text": TEXTS[index]}

    expected = [one["label"] for one in classify(TEXTS, certify=False)]
    going = classify(Rows(), certify=False, batch_size=2)
    first = next(going)
    assert (first["label"], Rows.asked) == (expected[0], [0, 1])
    assert [one["label"] for one in going] == expected[1:]
    assert [one["label"] for one in classify(KeyDataset(Rows(), "text"), certify=False)] == expected
    assert [one["label"] for one in classify((text for text in TEXTS), certify=False)] == expected


def test_data_sets_of_the_hub_are_taken(classify):
    datasets = pytest.importorskip("datasets", reason="extra 'data'")
    rows = datasets.Dataset.from_dict({"text": TEXTS})
    expected = [one["label"] for one in classify(TEXTS, certify=False)]
    assert [one["label"] for one in classify(rows, certify=False)] == expected
    assert [one["label"] for one in classify(rows["text"], certify=False)] == expected


def test_an_abstention_is_no_label(tiny):
    options = {"rate": 0.9, "draws": 10, "fuzzing": False, "statistics": "fixed"}
    classify = fuzzsmooth.pipeline(tiny, "deletion", **options)
    (one,) = classify("a moving film that goes nowhere")
    assert (one["label"], one["status"], one["radius"]) == (None, "abstain", -1)
    assert one["certificate"].startswith("ABSTAIN")
    told = classify("a moving film that goes nowhere", top_k=None)
    assert [entry["label"] for entry in told[:1]] == [None]
    assert sum(entry["score"] for entry in told[1:]) == pytest.approx(1)


def test_it_saves_a_folder_that_every_way_in_takes(classify, answers, tmp_path):
    classify.save_pretrained(tmp_path / "again")
    again = fuzzsmooth.pipeline(tmp_path / "again")
    assert [one["label"] for one in again(TEXTS)] == [one.label_name for one in answers]
    assert "custom_pipelines" not in (tmp_path / "again" / "config.json").read_text()


def test_a_refused_model_is_told_and_nothing_else_is_tried(saved, tmp_path):
    import shutil

    from transformers import pipeline

    folder = shutil.copytree(saved, tmp_path / "mine")
    (folder / "fuzzsmooth-options.json").write_text('{"version": 2, "defense": "nonsense", "options": {}}')
    with pytest.raises(FuzzsmoothError, match="nonsense"):
        pipeline("certified-text-classification", model=str(folder))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda p: p(5), "expected a text"),
        (lambda p: p(["a", None]), "expected a text"),
        (lambda p: p({"text": "a", "text_pair": "b"}), "pairs of texts"),
        (lambda p: p("a", top_k=0), "top_k must be"),
        (lambda p: p("a", certify="yes"), "certify must be"),
        (lambda p: p(["a"], batch_size=-1), "batch_size must be"),
        (lambda p: p.save_pretrained("x", safe=True), "a folder alone"),
        (lambda p: fuzzsmooth.pipeline(p.defense, "windows"), "protected already"),
    ],
)
def test_mistakes_are_told_in_one_sentence(classify, ask, said):
    with pytest.raises(FuzzsmoothError, match=said):
        ask(classify)


def test_a_bare_model_is_no_protected_one(tiny):
    from fuzzsmooth.apps.interop.pipeline import CertifiedTextClassificationPipeline

    with pytest.raises(FuzzsmoothError, match="needs a protected model"):
        CertifiedTextClassificationPipeline(fuzzsmooth.load_classifier(str(tiny)).model)
    with pytest.raises(FuzzsmoothError, match="the model is on cpu"):
        CertifiedTextClassificationPipeline(fuzzsmooth.protect(tiny, **WINDOWS), device="meta")


def test_importing_fuzzsmooth_stays_light():
    script = "import fuzzsmooth, fuzzsmooth.apps.interop, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "mlflow", "inspect_ai", "numpy"} & set(done.stdout.split())
