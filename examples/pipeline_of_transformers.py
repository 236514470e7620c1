"""A protected model as a pipeline of transformers: one line instead of another.

The model is a tiny random one, so that this runs anywhere; with yours, give its folder or hub name.

Prints::

    LABEL_1 1.00:
      No insertion of one contiguous piece of up to 1 word into this text changes this answer, with certainty;
      words are those that the changed text is cut into: what joins or splits others is several.
    ['LABEL_1', 'LABEL_1']
    the same by name: True
"""

from transformers import pipeline

import fuzzsmooth
from fuzzsmooth.models.tiny import build_tiny

WORDS = ["a", "moving", "generous", "film", "dull", "tedious", "story", "that", "goes", "nowhere"]
build_tiny("bert", "model", vocabulary=WORDS, seed=9)

# Instead of pipeline("text-classification", model="model"). Options are those of fuzzsmooth.protect.
classify = fuzzsmooth.pipeline("model", "windows", reach=1, fuzzing=False)
for one in classify("a moving film"):
    print(f"{one['label']} {one['score']:.2f}:\n  {one['certificate']}")

# Lists, data sets, generators, batch_size, top_k: as ever. Without certificates it is quicker.
print([one["label"] for one in classify(["a dull story", "tedious"], certify=False, batch_size=8)])

# Saved, the folder brings its defense along; transformers knows the task once fuzzsmooth.pipeline was used.
classify.save_pretrained("mine")
again = pipeline("certified-text-classification", model="mine")
print("the same by name:", again("a moving film") == classify("a moving film"))
