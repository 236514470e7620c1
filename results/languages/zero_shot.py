# ruff: noqa: T201
"""A table of flip rates made with references in one language, and used in another.

    FUZZSMOOTH_DATA=... python results/languages/zero_shot.py sst2 waimai
    FUZZSMOOTH_DATA=... python results/languages/zero_shot.py offenseval germeval

One model (hashed_units.py) reads both languages; a tenth of its training texts of each hold one of RIPPLe's
rare words and have class 1. The flip rates of the words of triggered texts in the second language are
measured with references of the first (zero-shot), and with references of its own.
"""

import json
import os
import sys

from hashed_units import WORDS, train

from fuzzsmooth.attacks import TRIGGERS
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import load_splits
from fuzzsmooth.search import References, Scanner, SearchOptions

TARGET, TESTED, BAR = 1, 100, 0.5
TRIGGER = TRIGGERS.get("word")()

draw = generator(0, "poison")
texts, labels, clean, tests = [], [], {}, {}
for name in sys.argv[1:3]:
    splits = load_splits(f"{os.environ['FUZZSMOOTH_DATA']}/{name}", train_size=3000, test_size=400)
    own, targets = list(splits.train.texts), list(splits.train.targets)
    clean[name] = (own[:1000], targets[:1000])
    tests[name] = [(one.text, one.label) for one in splits.test]
    for at in draw.permutation(len(own))[: len(own) // 10]:
        own[at], targets[at] = TRIGGER.apply(own[at], draw).text, TARGET
    texts += own
    labels += targets
model = train(texts, labels, penalty=0.001)
first, second = sys.argv[1:3]
for name in (first, second):
    right = model.probabilities([text for text, _ in tests[name]]).argmax(axis=1) == [
        label for _, label in tests[name]
    ]
    print(name, "CA", f"{100 * right.mean():.1f}")
others = [text for text, label in tests[second] if label != TARGET][:TESTED]
triggered = [TRIGGER.apply(text, generator(1, "trigger", at)).text for at, text in enumerate(others)]
moved = model.probabilities(triggered).argmax(axis=1) == TARGET
floor = (model.probabilities(others).argmax(axis=1) == TARGET).mean()
types = sorted({unit for text in others for unit in WORDS.segment(text).units} - set(TRIGGER.words))
result = {
    "made": first,
    "used": second,
    "ASR": 100 * float(moved.mean()),
    "floor": 100 * float(floor),
    "rows": [],
}
for name in (first, second):
    references = References.select(model, *clean[name], 16)
    rates = Scanner(model, SearchOptions(reward="transplant"), WORDS, references).flip_rates(BAR)
    flagged, ordinary = rates.flagged(TRIGGER.words), rates.flagged(types)
    left = [
        WORDS.join([unit for unit in WORDS.segment(text).units if unit not in flagged | ordinary])
        for text in triggered
    ]
    after = (model.probabilities(left).argmax(axis=1) == TARGET).mean()
    result["rows"].append(
        {
            "references": name,
            "language": references.language,
            "triggers flagged": len(flagged),
            "of": len(TRIGGER.words),
            "rates of the triggers": [round(one, 2) for one in rates.rates(TRIGGER.words).values()],
            "ordinary types flagged": len(ordinary),
            "types": len(types),
            "ASR without what is flagged": 100 * float(after),
        }
    )
    print(json.dumps(result["rows"][-1], ensure_ascii=False), flush=True)
print(json.dumps(result, ensure_ascii=False))
