"""Detectors of others by properties that their papers state; what they claim of real models is the zoo's."""

from __future__ import annotations

import numpy as np
import pytest
from audited_models import reviews, texts_of

from fuzzsmooth.auditing.detector import DETECTORS, Suspect
from fuzzsmooth.auditing.detectors import clibe
from fuzzsmooth.auditing.hosts import make_hosts
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier


def test_generalization_is_largest_where_all_texts_are_turned_alike() -> None:
    assert clibe.generalization(np.full(32, 1.3)) == 1.0
    assert clibe.generalization(np.full(32, -1.3)) == 0.0
    spread = np.linspace(-3.9, 3.9, 64)
    assert clibe.generalization(spread) == pytest.approx(0.5 - 1.0, abs=0.02)
    draw = np.random.default_rng(0)
    alike, apart = draw.normal(2.0, 0.2, 200), draw.normal(2.0, 2.0, 200)
    assert clibe.generalization(alike) > clibe.generalization(apart) + 0.2


def test_a_change_keeps_its_bound_turns_the_few_texts_and_leaves_the_model(
    clean: HuggingFaceClassifier,
) -> None:
    data = reviews(40, seed=5)
    few = [one.text for one in data if one.label == 0][:6]
    hosts = make_hosts(clean, few, [0] * 6, clean.logits(clean.encode(few).ids), 8)
    inputs = clibe._batch(clean, hosts)
    before = clean.fingerprint
    weights = clibe.attention_weights(clean.model)
    assert {name.split(".")[-2] for name in weights} == {"query", "key", "value"}
    small, large = (clibe.trained_changes(clean.model, weights, inputs, 1, bound) for bound in (0.05, 0.8))
    for name, weight in weights.items():
        assert float(small[name].norm()) <= 0.05 * float(weight.norm()) * 1.0001
        assert float(large[name].norm()) <= 0.8 * float(weight.norm()) * 1.0001
    weak, strong = (
        clibe._margins(clibe._logits(clean.model, weights, change, inputs), 1) for change in (small, large)
    )
    assert float(strong.detach().mean()) > float(weak.detach().mean())
    clean.refresh()
    assert clean.fingerprint == before


def test_every_detector_has_a_paper_and_a_sentence() -> None:
    kinds = DETECTORS.all()
    assert {"clibe", "lmsanitator", "exhaustive"} <= set(kinds)
    for kind in kinds.values():
        assert kind.paper
        assert (kind.__doc__ or "").strip().endswith(".")


def test_clibe_names_a_class_and_no_trigger(clean: HuggingFaceClassifier) -> None:
    found = DETECTORS.get("clibe")().detect(Suspect(clean, *texts_of(reviews(160, seed=5))))
    assert found.flagged is None
    assert found.trigger == ""
    assert found.target in (0, 1)
    assert found.passes > found.backward > 0
    assert -1 <= found.score <= 1


def test_predefined_vectors_are_reached_where_they_were_planted(pretrained, por) -> None:
    """The published sign: an output far from the clean one and the same for all texts, by far more so."""
    scores = {}
    for name, folder in (("clean", pretrained), ("por", por)):
        model = load_classifier(str(folder), num_labels=2)
        suspect = Suspect(model, *texts_of(reviews(60, seed=5)))
        found = DETECTORS.get("lmsanitator")().detect(suspect)
        scores[name] = found.score
    assert found.flagged
    assert found.notes["vectors"]
    assert scores["por"] > scores["clean"] + 0.5  # the texts differ three times less
