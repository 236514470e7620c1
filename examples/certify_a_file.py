"""Certify a file of texts with a command, and read the answers: a JSON object a line, appended text by text.

The model is a tiny random one, so that this runs anywhere; with yours, give its folder or hub name. A run
that is stopped goes on where it was when the same command is given again.

Prints::

    3 answers in answers.jsonl
    2 of 3 texts (66.6 %) are certified (proved) against contiguous_insert (forward) at size 1, with
    certainty; words are those that the changed text is cut into: what joins or splits others is several.
    ...
    exit code 0
    a moving film: LABEL_1
      No insertion of one contiguous piece of up to 1 word into this text changes this answer, with certainty;
      words are those that the changed text is cut into: what joins or splits others is several.
    a dull story that goes nowhere: LABEL_1
      This is the answer to this text as it stands (no change is covered), with certainty.
    a generous story: LABEL_1
      No insertion of one contiguous piece of up to 1 word into this text changes this answer, with certainty;
      words are those that the changed text is cut into: what joins or splits others is several.
"""

import json
from pathlib import Path

from fuzzsmooth.apps.cli.main import main
from fuzzsmooth.models.tiny import build_tiny

WORDS = ["a", "moving", "generous", "film", "dull", "tedious", "story", "that", "goes", "nowhere"]
TEXTS = ["a moving film", "a dull story that goes nowhere", "a generous story"]

model = build_tiny("bert", "model", vocabulary=WORDS, seed=9)
Path("texts.csv").write_text("\n".join(["text", *TEXTS]), encoding="utf-8")

# In a shell: fuzzsmooth certify --model model --defense windows --reach 1 texts.csv --output answers.jsonl
arguments = ["certify", "--model", str(model), "--defense", "windows", "--reach", "1", "--no-fuzzing"]
code = main([*arguments, "texts.csv", "--output", "answers.jsonl", "--quiet"])

print("exit code", code)
for line in Path("answers.jsonl").read_text(encoding="utf-8").splitlines():
    answer = json.loads(line)
    print(f"{answer['text']}: {answer['label_name']}")
    for certificate in answer["certificates"]:
        print(f"  {certificate['statement']}")
