"""In fixed shapes an answer is a function of the sequence alone, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defended import options_for
from fuzzsmooth.defenses import defend
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.models.fixed_shapes import MOST_ROWS, alike_rows, fixed_batches, rows_of

WORDS = [f"w{at}" for at in range(40)]


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["bert", "distilbert", "roberta", "llama"])
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("fixed") / request.param
    return load_classifier(str(build_tiny(request.param, folder, vocabulary=WORDS, hidden=64, layers=2)))


def sequences(classifier: HuggingFaceClassifier, count: int, seed: int = 0) -> list[list[int]]:
    source = np.random.default_rng(seed)
    texts = [" ".join(source.choice(WORDS, source.integers(0, 30))) for _ in range(count)]
    return classifier.encode(texts).ids


def test_batches_have_one_shape_for_each_length() -> None:
    lengths = [3, 1, 3, 40, 200, 3, *[5] * 33]
    batches = fixed_batches(lengths)
    assert {index for batch in batches for index in batch} == set(range(len(lengths)))
    for batch in batches:
        (length,) = {lengths[index] for index in batch}
        assert len(batch) == rows_of(length)
    assert [rows_of(length) for length in (1, 8, 9, 24, 40, 512)] == [16, 6, 5, 2, 1, 1]


def test_answers_do_not_depend_on_what_else_is_asked(classifier: Any, threads: int) -> None:
    exact = classifier.reproducible()
    assert exact.fixed_shapes
    assert exact.reproducible() is exact
    rows = sequences(classifier, 120)
    together = exact.logits(rows)
    assert torch.get_num_threads() == threads
    for start in range(0, 40, 7):
        part = rows[start : start + 7]
        np.testing.assert_array_equal(exact.logits(part[::-1])[::-1], together[start : start + 7])
    np.testing.assert_array_equal(exact.logits(rows[:1]), together[:1])
    np.testing.assert_allclose(together, classifier.logits(rows), atol=1e-5)


def test_the_number_of_threads_makes_no_difference(classifier: Any) -> None:
    exact, rows = classifier.reproducible(), sequences(classifier, 60)
    before = torch.get_num_threads()
    found = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        found.append(exact.logits(rows))
    torch.set_num_threads(before)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_control_shared_batches_differ_in_their_last_digits(classifier: Any) -> None:
    rows = sequences(classifier, 120)
    together = classifier.logits(rows)
    alone = np.concatenate([classifier.logits([row]) for row in rows])
    assert (together != alone).any()


def test_a_model_that_reads_its_batch_is_found_out(classifier: Any) -> None:
    model = classifier.model

    def beside(model: Any, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return logits + 1e-3 * logits.mean()

    def by_place(model: Any, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return logits + 1e-3 * torch.arange(len(ids))[:, None]

    def by_history(model: Any, ids: torch.Tensor) -> torch.Tensor:
        nonlocal asked
        asked += 1
        logits: torch.Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return logits + 1e-3 * asked

    asked = 0
    assert alike_rows(model, beside, 64) == alike_rows(model, by_place, 64) == 1, "alone there is no company"
    assert alike_rows(model, by_history, 64) == 0


def test_where_rows_differ_each_sequence_is_a_batch_of_its_own(classifier: Any) -> None:
    """As on a processor whose kernels do not treat the rows of a batch alike."""
    alone = classifier.reproducible()
    alone = alone.in_precision("float32")
    alone.fixed_shapes, alone._alike_rows = True, 1
    rows = sequences(classifier, 30)
    assert [len(batch) for batch in alone.batches(rows)] == [1] * len(rows)
    assert classifier.reproducible()._alike_rows in (1, MOST_ROWS)
    together = alone.logits(rows)
    np.testing.assert_array_equal(alone.logits(rows[::-1])[::-1], together)
    np.testing.assert_array_equal(alone.logits(rows[4:5]), together[4:5])
    np.testing.assert_allclose(together, classifier.logits(rows), atol=1e-5)


def test_twins_share_counts_fingerprints_and_weights(tmp_path: Path) -> None:
    plain = load_classifier(str(build_tiny("bert", tmp_path / "m", vocabulary=WORDS, hidden=16, layers=1)))
    exact = plain.reproducible()
    assert exact.fingerprint == plain.fingerprint
    plain.forward_count = 0
    exact.logits(sequences(plain, 3))
    assert plain.forward_count >= 3
    before = exact.fingerprint
    with torch.no_grad():
        plain.model.classifier.bias.add_(1)
    plain.refresh()
    assert exact.fingerprint == plain.fingerprint != before


def test_a_model_made_of_rounding_has_one_certificate(tmp_path: Path) -> None:
    """Its margin is that of a text's own last digits: in shared batches the label hangs on the company."""
    folder = build_tiny("bert", tmp_path / "m", vocabulary=WORDS, hidden=64, layers=2)
    plain = load_classifier(str(folder), labels=("neg", "pos"))
    rows = sequences(plain, 40)
    alone, together = plain.logits(rows[:1])[0], plain.logits(rows)[0]
    sides = np.array([alone, together, plain.logits(rows[:7], one_batch=True)[0]])
    margins = np.sort(np.unique((sides[:, 1] - sides[:, 0]).astype(np.float64)))
    with torch.no_grad():  # the tie lies between what two batches give
        plain.model.classifier.bias[1] -= float(margins[:2].mean())
    plain.refresh()
    text = plain.tokenizer.decode(rows[0], skip_special_tokens=True)
    others = [plain.tokenizer.decode(row, skip_special_tokens=True) for row in rows[1:]]
    smooth = defend(plain, options_for(defense="windows", sigma=0.0, fuzzing=False, reach=1))
    (first,) = smooth.certify([text])
    company = defend(plain, smooth.options).certify([text, *others])
    assert first.certificates == company[0].certificates
    assert smooth.predict([text]) == smooth.predict([*others, text])[-1:]
    rounding = first.certificates[0].rounding
    assert rounding is not None
    assert (rounding.batches, rounding.condition) == ("fixed", None)
