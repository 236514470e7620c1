"""The benchmarks' own parts: both sides answer the same question, ratios are of the same round."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fuzzsmooth.models import build_tiny, load_classifier

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
WORDS = [f"w{index}" for index in range(30)]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


def test_reference_and_engine_draw_from_one_law(tmp_path):
    from reference import reference_certify, reference_counts

    import certify

    classifier = load_classifier(str(build_tiny("bert", tmp_path / "m", vocabulary=WORDS, hidden=32)))
    generator = np.random.default_rng(1)
    texts = [" ".join(generator.choice(WORDS, 9)) for _ in range(6)]
    shares = []
    for text in texts:
        counts = reference_counts(classifier, text, 0.6, 1000)
        units = certify.WordSegmenter().segment(text).units
        plan = certify.Plan(certify.text_key(text), units, certify.uniform_rates(len(units), 0.6))
        votes = certify.engine(classifier, 0, None, 0.0).votes([plan], range(1000), "x")[0]
        assert sum(counts) == votes.sum() == 1000
        shares.append((counts[0] / 1000, votes[0] / 1000))
        assert abs(shares[-1][0] - shares[-1][1]) < 5 * (2 * 0.25 / 1000) ** 0.5
    assert np.ptp([share for share, _ in shares]) > 0.1, "control: texts differ by more than chance"
    radii, drawn = certify.engine_certify(certify.engine(classifier, 0, None, 0.0), texts, 0.6, 4)
    reference = reference_certify(classifier, texts, 0.6, 1000, certify.ALPHA)
    assert all(early <= fixed + 1 for early, fixed in zip(radii, reference, strict=True))
    assert max(drawn) <= certify.DRAWS
    assert min(drawn) < certify.DRAWS, "some text stops early"


def test_operations_are_those_of_the_parts_that_are_needed(tmp_path):
    from certify import linear_flops

    model = load_classifier(
        str(build_tiny("bert", tmp_path / "m", vocabulary=WORDS, hidden=8, layers=2))
    ).model
    first, last = model.bert.encoder.layer
    whole = sum(part.numel() for name, part in first.named_parameters() if part.dim() == 2)
    pair = last.attention.self.key.weight.numel() * 2
    assert linear_flops(model, [5, 3]) == 2 * (8 * whole + 8 * pair + 2 * (whole - pair))


def test_sides_alternate_and_ratios_are_per_round():
    from measuring import Times, alternate, ratios

    order: list[tuple[str, int]] = []
    sides = {
        name: (lambda index, name=name: (order.append((name, index)), time.sleep(0.002)))
        for name in ("a", "b")
    }
    times = alternate(sides, 3)
    assert order == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]
    assert all(value >= 0.002 for own in times.values() for value in own.wall)
    found = ratios(Times([2.0, 9.0, 8.0], [1.0, 1.0, 1.0]), Times([1.0, 3.0, 2.0], [1.0, 2.0, 4.0]))
    assert (found["median"], found["low"], found["high"], found["median_cpu"]) == (3.0, 2.0, 4.0, 0.5)
    assert found["all"] == [2.0, 3.0, 4.0]


def test_the_table_has_every_figure_and_says_what_was_not_measured():
    import measuring
    import run

    one = {"median": 1.0, "low": 1.0, "high": 1.0}
    figures = {kind: {key: one for key, *_ in run.FIGURES} for kind in ("float32", "bfloat16")}
    assert {key for key, *_ in run.FIGURES} == {
        "certify_speedup_r90",
        "certify_speedup_r70",
        "shallow_speedup_r90",
        "shallow_speedup_r70",
        "weight_noise_overhead",
        "weight_noise_copies",
        "weight_noise_speedup",
        "matmul_share",
        "scan_batch_speedup",
    }
    facts = {"processor": "p", "threads": 1, "cores": 2, "load_average": [0.1], "torch": "t", "gpu": None}
    facts["arithmetic"] = measuring.arithmetic(["avx2", "fma"])
    rest = {"model": "m", "data": "a/sst2[dev]", "precision": "float32", "seconds": 1.0, "machine": facts}
    text = run.table({"figures": figures} | rest, "make bench-quick")
    assert text.count("\n|") == 2 * len(run.FIGURES) + 1
    del figures["float32"]["scan_batch_speedup"]
    assert run.table({"figures": figures} | rest, "make bench").count("\n|") == 2 * len(run.FIGURES)
    assert "| certify, rate .9, against the reference | float32 | 1.00 | 1.00 | 1.00 |  | >= 10 |" in text
    assert (
        "ten fixed noisy copies over the noise-free pass | bfloat16 | 1.00 | 1.00 | 1.00 |  | <= 1.1 |"
        in text
    )
    assert "AVX2, no bfloat16 products, no int8 products" in text
    assert "GPU: none, not measured" in text


@pytest.mark.parametrize(("native", "auto"), [(False, ["float32"]), (True, ["float32", "bfloat16"])])
def test_both_sides_use_the_arithmetic_that_the_processor_has(monkeypatch, native, auto):
    import run

    monkeypatch.setattr("fuzzsmooth.models.devices.has_native_bfloat16", lambda device: native)
    assert run.precisions_of("auto", "cpu") == auto
    assert run.precisions_of("float32", "cpu") == ["float32"]
    assert run.precisions_of("bfloat16", "cpu") == ["float32", "bfloat16"]


@pytest.mark.parametrize("precisions", [["float32"], ["float32", "bfloat16"]])
@pytest.mark.parametrize("layers", [None, 1])
def test_certification_is_timed_in_each_number_type_and_depth(tmp_path, precisions, layers):
    from certify import bench_certify
    from fuzzsmooth.data import load_splits

    data = load_splits("builtin:reviews", train_size=60, test_size=20)
    words = sorted({word for text in data.test.texts for word in text.split()})
    model = build_tiny("bert", tmp_path / "m", vocabulary=words)
    shallow = layers and str(build_tiny("bert", tmp_path / "s", vocabulary=words, layers=layers))
    found = bench_certify(data, 0.9, 2, 2, 1, "cpu", precisions, str(model), shallow)
    asked = ["engine", "shallow"] if layers else ["engine"]
    names = {f"{who}_{precision}" for who in asked for precision in precisions}
    assert list(found["speedup"]) == asked
    assert all(list(own) == precisions for own in found["speedup"].values())
    assert all(one["median"] > 0 for own in found["speedup"].values() for one in own.values())
    assert set(found["equal_radii_text_by_text"]) == {"reference", *names}
    assert found["equal_radii_text_by_text"]["reference"] == 1.0
    assert found["same_radii_in_all_arithmetics"]
    assert set(found["passes_per_text"]) == set(found["guard_bands"]) == names
    assert all((found["guard_bands"][name] > 0) == ("bfloat16" in name) for name in names)
    assert all(0 < passes <= 1000 for passes in found["passes_per_text"].values())


def test_costs_grow_as_measured_and_plotted(tmp_path):
    """In small: passes below draws, more words need more evaluations, both files written."""
    import growth

    from fuzzsmooth.data import load_splits

    data = load_splits("builtin:reviews", train_size=60, test_size=20)
    words = sorted({word for text in data.test.texts for word in text.split()})
    classifier = load_classifier(str(build_tiny("bert", tmp_path / "m", vocabulary=words)))
    result = growth.measure(
        classifier, data, draws=(8, 64), texts=(2, 8), lengths=(16, 64), searched=5, most=512
    )
    assert result["passes_at_most_draws"]
    assert result["certify"]["draws"][1]["passes_per_text"] > result["certify"]["draws"][0]["passes_per_text"]
    tree = [row for row in result["search"] if row["strategy"] == "tree"]
    assert [row["words"] for row in tree] == [16, 64]
    assert all(row["recall"] >= growth.RECALL and row["evaluations"] <= row["budget"] for row in tree)
    growth.plot(result, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_texts(tmp_path):
    """With a model of a few kilobytes: 600 texts need at most a few MiB more than 60."""
    import memory

    folder = build_tiny("bert", tmp_path / "m", vocabulary=WORDS)
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS, 9)) for _ in range(50)]
    found = memory.measure(str(folder), texts, (60, 600), 16)
    assert found["beyond_one_text_mib"]["600"] - found["beyond_one_text_mib"]["60"] < 30
    with pytest.raises(RuntimeError, match="0 of 1"):
        memory.peak_bytes(["w1"], str(tmp_path / "none"), 16, tmp_path)


def test_a_part_is_measured_by_itself(monkeypatch):
    import run

    monkeypatch.setattr(
        run, "SIZES", {"quick": {"noise": (4, 2, 1), "share": 1, "scan": (2, 1), "certify": ()}}
    )
    found = run.measure("quick", "builtin:reviews", "float32", "cpu", None, None, ["noise"])
    assert set(found["figures"]["float32"]) == {
        "weight_noise_overhead",
        "weight_noise_copies",
        "weight_noise_speedup",
    }
    assert set(found["details"]) == {"weight_noise_float32", "weight_noise_short_float32"}
