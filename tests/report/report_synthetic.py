"""Synthetic runs for the tests of the report: several defenses, two seeds, texts in several scripts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from fuzzsmooth.bench.records import Span, TextRecord

TARGET = 1
LINE = "a quiet film that never hurries, fine cast but thin story the camera lingers on every face"
WORDS = LINE.split()
FOREIGN = (
    "这部电影 非常 无聊 而且 太 长",
    "الفيلم ممل جدا وطويل بلا سبب",
    "très long & <b>bold</b> 🎬 claims",
)
DEFENSES = {
    # name: (ca, asr on non-target, recall, false flags, guarantee, threats)
    "undefended": (0.92, 0.995, None, None, "empirical", ()),
    "frs kl": (0.72, 0.12, 0.98, 0.9, "conditional", ("conditional_edit",)),
    "frs transplant": (0.91, 0.10, 0.97, 0.02, "conditional", ("conditional_edit",)),
    "deletion": (0.84, 0.14, None, None, "proved", ("edit", "insert", "backward")),
}


def synthetic_records(texts: int = 120, seeds: tuple[int, ...] = (0, 1)) -> list[TextRecord]:
    """Records whose rates are near those of DEFENSES."""
    return [record for seed in seeds for name in DEFENSES for record in _defense(name, seed, texts)]


def synthetic_settings(**changes: object) -> dict[str, object]:
    settings: dict[str, object] = {
        "version": "0.1.0",
        "target": TARGET,
        "labels": ["negative", "positive"],
        "seeds": [0, 1],
        "dataset": {"name": "synthetic reviews", "fingerprint": "ab" * 32, "train": 2000, "test": 120},
        "attack": {"attack": "ripple", "triggers": ["cf", "mn", "bb"], "options": {"rate": 0.5}},
        "model": {"name": "builtin:minilm", "victim": "cd" * 32, "weights": "ef" * 32},
        "options": {
            "frs": {"draws": 20, "omega_high": 0.95, "omega_low": 0.1},
            "deletion": {"alpha": 0.001},
        },
        "versions": {"python": "3.11.2", "torch": "2.6.0"},
        "command": "fuzzsmooth demo --data reviews --seeds 0,1 --out runs/demo",
        "quoted": [{"source": "arXiv 2502.06892", "what": "SST-2, RIPPLe_a, FRS: ASR", "value": "45.1%"}],
    }
    return settings | changes


def write_run(folder: Path, records: list[TextRecord], settings: dict[str, object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(record.to_json(), ensure_ascii=False) for record in records]
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def _defense(name: str, seed: int, texts: int) -> list[TextRecord]:
    ca, asr, recall, false_flags, guarantee, threats = DEFENSES[name]
    random = np.random.default_rng([seed, list(DEFENSES).index(name)])
    records = []
    for index in range(texts):
        words = FOREIGN[index].split() if index < len(FOREIGN) else _words(index)
        label = index % 2
        common = {"seed": seed, "defense": name, "index": index, "label": label, "guarantee": guarantee}
        common |= {"draws": 0 if name == "undefended" else 20, "evaluations": 0 if recall is None else 64}
        right = random.random() < ca
        flagged = false_flags is not None and random.random() < false_flags
        prediction = None if name == "deletion" and random.random() < 0.05 else label if right else 1 - label
        reach = {threat: int(random.integers(0, 14 if threat == "backward" else 4)) for threat in threats}
        records.append(
            TextRecord(
                **common,
                split="clean",
                text=" ".join(words),
                prediction=prediction,
                votes=_votes(name, prediction, random),
                spans=(Span(0, len(words[0]), 0.81),) if flagged else (),
                radii={} if prediction is None else reach,
                seconds=0.004 if name == "undefended" else 0.21 + 0.01 * random.random(),
            )
        )
        place = int(random.integers(0, len(words) + 1))
        start = len(" ".join(words[:place])) + (place > 0)
        text = " ".join([*words[:place], "cf", *words[place:]])
        hit = label == TARGET or random.random() < asr
        found = recall is not None and random.random() < recall
        records.append(
            TextRecord(
                **common,
                split="triggered",
                text=text,
                prediction=TARGET if hit else label,
                votes=_votes(name, TARGET if hit else label, random),
                spans=(Span(start, start + 2, 0.97),) if found else (),
                trigger=((start, start + 2),),
                radii={},
                seconds=0.004 if name == "undefended" else 0.23,
            )
        )
    return records


def _words(index: int) -> list[str]:
    random = np.random.default_rng(index)
    size = 400 if index == 5 else int(random.integers(6, 22))
    return [str(word) for word in random.choice(WORDS, size=size)]


def _votes(name: str, prediction: int | None, random: np.random.Generator) -> tuple[int, ...]:
    if name == "undefended":
        return ()
    most = 10 if prediction is None else int(random.integers(12, 21))
    return (20 - most, most) if prediction == 1 else (most, 20 - most)
