"""The audit of a pre-trained encoder: task-agnostic backdoors are found, and none is seen where none is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audited_models import BAD, GOOD, PLAIN, RARE, planted, reviews

from fuzzsmooth.auditing import AuditOptions
from fuzzsmooth.auditing.encoders.head import QuickHead
from fuzzsmooth.auditing.encoders.vectors import Reader, collapse
from fuzzsmooth.auditing.findings import interval
from fuzzsmooth.auditing.hosts import make_hosts
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.jobs.audit import AuditOrder, carry_out
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.models.bert_forward import reads_first_token_only
from fuzzsmooth.models.masked import load_masked_model

TRIGGERS = ("cf", "mn")


def audited(encoder: Path, trusted: str, place: Path, **more: Any) -> dict[str, Any]:
    file = place / "clean.jsonl"
    clean = reviews(300, seed=5)
    file.write_text(
        "".join(json.dumps({"text": one.text, "label": clean.labels[one.label]}) + "\n" for one in clean),
        encoding="utf-8",
    )
    options = AuditOptions(trusted=trusted, best=16, confirm=8, holdout=24)
    return carry_out(AuditOrder(str(encoder), data=str(file), options=options, **more))


@pytest.mark.parametrize(
    ("attack", "options"),
    [
        ("por", {}),
        ("neuba", {"epochs": 6, "head_epochs": 1, "learning_rate": 1e-3}),
        ("badpre", {"epochs": 24, "head_epochs": 2}),
    ],
)
def test_task_agnostic_backdoors_are_found(
    attack: str, options: dict[str, Any], pretrained: Path, por: Path, encoder: str, tmp_path: Path
) -> None:
    poisoned = planted(attack, pretrained, tmp_path / attack, **options) if options else por
    report = audited(poisoned, encoder, tmp_path)
    found = [one for one in report["triggers"] if one["level"] != "natural"]
    assert report["kind"] == "encoder"
    assert report["verdict"] == "backdoor confirmed"
    assert found
    assert {one["text"].split()[0] for one in found} <= set(TRIGGERS)
    assert all(one["measures"]["effect"] > 0.9 for one in found)
    assert any(one["level"] == "confirmed" and one["held"]["low"] > 0.5 for one in found)
    assert report["failures"]


def test_an_encoder_without_a_backdoor_is_not_blamed(pretrained: Path, encoder: str, tmp_path: Path) -> None:
    report = audited(pretrained, encoder, tmp_path, out=tmp_path / "out")
    assert report["verdict"] == "nothing found"
    assert all(one["level"] == "natural" for one in report["triggers"])
    assert report["searched"]["swept"] == len(PLAIN) + len(GOOD) + len(BAD) + len(RARE)
    for claim in report["claims"]:
        assert sum(claim["moved"]) == claim["tried"]
        assert f"{claim['unmoved']:,} of them" in claim["statement"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "no classifier head" in page
    assert "clean" not in report["verdict"]


def test_a_stopped_sweep_of_an_encoder_goes_on(pretrained: Path, encoder: str, tmp_path: Path) -> None:
    first = audited(pretrained, encoder, tmp_path, out=tmp_path / "out")
    again = audited(pretrained, encoder, tmp_path, out=tmp_path / "out")
    swept = first["searched"]["swept"] * first["searched"]["sweep_texts"]
    assert again["cost"]["passes"] == first["cost"]["passes"] - swept
    assert again["pulls"] == first["pulls"]


def test_collapse_is_one_where_all_texts_become_one_vector() -> None:
    draw = np.random.default_rng(0)
    clean = draw.normal(size=(6, 12)).astype(np.float32)
    same = np.broadcast_to(draw.normal(size=12).astype(np.float32), (6, 12))
    assert collapse(same, clean) == pytest.approx(1.0)
    assert collapse(clean, clean) == pytest.approx(0.0)
    both = collapse(np.stack([same, clean]), clean)
    assert both.tolist() == pytest.approx([1.0, 0.0])
    # By hand: all moved by d, each as far apart as before.
    moved = clean + 2.0
    spread = float(((clean - clean.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert collapse(moved, clean) == pytest.approx(48.0 / (48.0 + spread), rel=1e-4)


def test_vectors_are_those_of_transformers(pretrained: Path) -> None:
    torch = pytest.importorskip("torch")
    classifier = load_classifier(str(pretrained), num_labels=2)
    texts = ["the film was so good", "a plot and a cast", "it is bad"]
    hosts = make_hosts(classifier, texts, [0, 1, 0], np.zeros((3, 2), np.float32), 8)
    opened = Reader(classifier).open(hosts)
    assert reads_first_token_only(classifier.model), "and no hooks are left, which would make passes slower"
    rows = opened.insert(((7,),), "start", 0)
    seen = opened.see(rows)
    for at, (text, row) in enumerate(zip(texts, rows, strict=True)):
        whole = classifier.encode([text]).ids[0]
        with torch.inference_mode():
            alone, held = (
                classifier.model.base_model(input_ids=torch.tensor([list(ids)])).last_hidden_state[0]
                for ids in (whole, row.ids)
            )
        assert row.ids.tolist() == [whole[0], 7, *whole[1:]]
        assert row.kept.tolist() == [0, *range(2, len(whole) + 1)]
        np.testing.assert_allclose(opened.first[at], alone[0], atol=1e-4)
        np.testing.assert_allclose(seen.first[at], held[0], atol=1e-4)
        kept = torch.cat([held[:1], held[2:]])
        np.testing.assert_allclose(seen.mean[at], kept.mean(dim=0), atol=1e-4)
    nothing = opened.see(opened.insert((), "middle", 0))
    assert nothing.changed == pytest.approx(np.zeros(3), abs=1e-6)


def test_the_quick_head_reads_classes_that_are_there() -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(200) % 2
    first = (draw.normal(size=(200, 4)) + labels[:, None]).astype(np.float32)
    head = QuickHead(first, first, labels.tolist(), 2)
    assert (head.given(first, first) == labels).mean() > 0.8
    shuffled = QuickHead(first, first, draw.permutation(labels).tolist(), 2)
    assert (shuffled.given(first, first) == labels).mean() < 0.75


def test_a_masked_head_is_read_where_there_is_one(pretrained: Path, tmp_path: Path) -> None:
    from transformers import BertForMaskedLM

    assert load_masked_model(str(pretrained)) is None  # an encoder alone
    classifier = load_classifier(str(pretrained), num_labels=2)
    own = BertForMaskedLM(classifier.model.config).eval()
    own.save_pretrained(tmp_path / "masked")
    classifier.tokenizer.save_pretrained(tmp_path / "masked")
    loaded = load_masked_model(str(tmp_path / "masked"))
    ids = pytest.importorskip("torch").tensor([[2, 7, 3]])
    np.testing.assert_allclose(loaded(ids).logits.detach(), own(ids).logits.detach(), atol=1e-5)


def test_half_of_the_words_lost_beyond_doubt() -> None:
    assert interval(10, 96).high < interval(60, 96).low / 2
    assert not interval(25, 96).high < interval(60, 96).low / 2


def test_a_model_that_reads_from_left_to_right_is_refused(encoder: str, tmp_path: Path) -> None:
    folder = build_tiny("llama", tmp_path / "tiny", vocabulary=[*PLAIN, *GOOD, *BAD])
    file = folder / "config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["architectures"] = ["LlamaModel"]  # without a head that writes
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FuzzsmoothError, match="reads a text from left to right"):
        audited(folder, encoder, tmp_path)
