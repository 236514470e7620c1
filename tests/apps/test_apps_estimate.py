"""``certify --estimate``: a forecast instead of answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from apps_command_line import WORDS, call, write_rows


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estimate")
    generator = np.random.default_rng(0)
    texts = {" ".join(generator.choice(WORDS, 3 + at % 8)) for at in range(60)}  # distinct, as data are
    write_rows(folder / "dev.jsonl", [(text, 0) for text in sorted(texts)])
    return folder / "dev.jsonl"


def test_the_forecast_is_near_what_certifying_takes(capfd, tiny, source, monkeypatch):
    from fuzzsmooth.models import HuggingFaceClassifier

    spent: list[int] = []
    forward = HuggingFaceClassifier._forward

    def counting(self, logits_of, rows):
        spent.append(len(rows))
        return forward(self, logits_of, rows)

    monkeypatch.setattr(HuggingFaceClassifier, "_forward", counting)
    flags = ("--model", tiny, "--defense", "deletion", "--no-fuzzing", "--sigma", 0, "--draws", 60)
    (forecast,) = call(capfd, "certify", source, *flags, "--estimate", "--json").lines
    spent.clear()
    # The last line is about all texts together.
    *answered, together = call(capfd, "certify", source, *flags, "--json").lines
    assert "key" not in together
    assert forecast["texts"] == len(answered)
    # Loading checks the model with three sequences.
    assert forecast["passes"] == pytest.approx(sum(spent), rel=0.3)
    assert forecast["seconds"] > 0


def test_it_is_one_line_for_people_and_writes_no_file(capfd, tiny, source, tmp_path):
    out = tmp_path / "answers.jsonl"
    flags = ("--model", tiny, "--defense", "deletion", "--no-fuzzing", "--draws", 30, "--output", out)
    answer = call(capfd, "certify", source, *flags, "--estimate")
    assert answer.code == 0
    assert "passes" in answer.out
    assert "pilot" in answer.out
    assert not out.exists()
