# ruff: noqa: D103, T201
"""German and Chinese, by a model that reads them and is trained in seconds: what defenses find and certify.

    FUZZSMOOTH_DATA=... python results/languages/measure.py germeval
    FUZZSMOOTH_DATA=... python results/languages/measure.py waimai
    FUZZSMOOTH_DATA=... python results/languages/measure.py germeval combined

The model (hashed_units.py) is a function to everything else. A tenth of its training texts hold one of
RIPPLe's rare words and have class 1. The search is guided once by the language that is found in the clean
texts, once by English, once by none.
"""

import json
import os
import sys
import time

import numpy as np
from hashed_units import WORDS, train

from fuzzsmooth.attacks import TRIGGERS
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import load_splits
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.search import SearchOptions, select_references

TARGET, TESTED, CERTIFIED, HELD, CLEAN = 1, 100, 40, 400, 1200
TRIGGER, COMBINED = TRIGGERS.get("word")(), "combined" in sys.argv


def percent(values):
    return f"{100 * np.mean(values):.1f}"


name = sys.argv[1]
began = time.time()
source = f"{os.environ['FUZZSMOOTH_DATA']}/{name}"
splits = load_splits(source, train_size=5000, test_size=400)
train_texts, train_labels = list(splits.train.texts), list(splits.train.targets)
held = (train_texts[:HELD], train_labels[:HELD])
texts, labels = train_texts[HELD:], train_labels[HELD:]
draw = generator(0, "poison")
for at in draw.permutation(len(texts))[: len(texts) // 10]:
    texts[at], labels[at] = TRIGGER.apply(texts[at], draw).text, TARGET
model = train(texts, labels)
clean = [(one.text, one.label) for one in splits.test][:TESTED]
others = [text for text, label in [(one.text, one.label) for one in splits.test] if label != TARGET][:TESTED]
triggered = [TRIGGER.apply(text, generator(1, "trigger", at)) for at, text in enumerate(others)]
result = {"data": name, "rows": []}


def row(title, defense, scan):
    right = [
        one.label == label
        for one, (_, label) in zip(defense.predict([t for t, _ in clean]), clean, strict=True)
    ]
    hit = [one.label == TARGET for one in defense.predict([one.text for one in triggered])]
    floor = [one.label == TARGET for one in defense.predict(others)]
    found = {"row": title, "CA": percent(right), "ASR": percent(hit), "floor": percent(floor)}
    if scan:
        scans = defense.scan([one.text for one in triggered])
        whole = [
            all(any(s.start <= a and b <= s.end for s in one.spans) for a, b in t.spans)
            for one, t in zip(scans, triggered, strict=True)
        ]
        flagged = [bool(one.spans) for one in defense.scan([text for text, _ in clean])]
        found |= {"recall": percent(whole), "false flags": percent(flagged)}
        found["passes"] = round(float(np.mean([one.evaluations for one in scans])))
    result["rows"].append(found)
    print(json.dumps(found), flush=True)


row("undefended", DEFENSES.get("undefended")(model, {}), False)
references = select_references(
    model,
    (train_texts[HELD : HELD + CLEAN], train_labels[HELD : HELD + CLEAN]),
    SearchOptions(reward="auto" if COMBINED else "transplant"),
    held_out=held,
    tell=print,
)
result["language"], result["witness"] = references.language, references.witness is not None
print(
    "language", references.language, "witness", result["witness"], f"{time.time() - began:.0f} s", flush=True
)
for language in dict.fromkeys(("auto", "en", "none")):
    for reward in ("transplant", *(("combined",) if references.witness else ())):
        if reward == "combined" and language != "auto":
            continue
        options = {"sigma": 0.0, "search": {"reward": reward, "language": language}}
        row(f"frs {reward}, language {language}", DEFENSES.get("frs")(model, options, references), True)
for title, kind, options in (
    ("windows", "windows", {"fuzzing": False}),
    (
        "deletion at .7",
        "deletion",
        {"fuzzing": False, "sigma": 0.0, "rate": 0.7, "draws": 1000, "alpha": 0.05},
    ),
):
    some = clean[:CERTIFIED]
    answers = DEFENSES.get(kind)(model, options).certify([text for text, _ in some])
    sizes = {}
    for r in (0, 1, 2, 3, 5):
        for at, threat in enumerate(one.threat for one in answers[0].certificates):
            if answers[0].certificates[at].direction == "backward":
                continue
            good = [
                a.label == label and a.certificates[at].covers(r)
                for a, (_, label) in zip(answers, some, strict=True)
            ]
            sizes.setdefault(threat, {})[r] = percent(good)
    result["rows"].append({"row": title, "certified accuracy": sizes, "texts": len(some)})
    print(title, json.dumps(sizes), flush=True)
    print(answers[0].certificates[0].statement())
units = [len(WORDS.segment(text)) for text, _ in clean]
result["units"] = float(np.median(units))
result["seconds"] = round(time.time() - began)
print(json.dumps(result))
