"""What sharing the keys and values of a template saves: a certificate of a prompted model with and without.

    python benchmarks/prompt_prefix.py --model builtin:smollm2 --draws 1000 --words 60

Told is the processor time, which other programs on the machine do not change as they change the clock's. The
text is deleted from at --rate; both ways give the same votes.
"""

from __future__ import annotations

import argparse
import time
import warnings

import torch

from fuzzsmooth.data import load_splits
from fuzzsmooth.defenses.deletion import Deletion, DeletionOptions
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier
from fuzzsmooth.models.prompt import PromptOptions

INSTRUCTION = (
    "Below is a review of a film, a book or a meal. Read it with care, and decide whether whoever wrote it "
    "liked it or not; neither irony nor what others said should count, only what the writer thinks. Answer "
    "with one word, which is either positive or negative, and with nothing else."
)


def template(words: int) -> str:
    """A template of about so many tokens."""
    return f"{' '.join(INSTRUCTION.split()[:words])}\nReview: {{text}}\nAnswer:"


def seconds(classifier: HuggingFaceClassifier, text: str, options: DeletionOptions) -> tuple[float, object]:
    """Processor time of a certificate, and what it says."""
    defense = Deletion(classifier, options)
    began = time.process_time()
    (answer,) = defense.certify([text])
    return time.process_time() - began, (answer.votes, answer.label)


def main() -> None:
    """Measure both ways."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="builtin:smollm2")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.7)
    parser.add_argument("--words", type=int, default=48)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    prompt = PromptOptions(template=template(given.words), label_words=("negative", "positive"))
    classifier = load_classifier(given.model, prompt=prompt)
    # As long as those of SST-2, about 20 words.
    text = max(load_splits("builtin:reviews", train_size=50, test_size=2).train.texts, key=len)
    options = DeletionOptions(
        rate=given.rate, draws=given.draws, statistics="fixed", fuzzing=False, guard=0.0, copies=1
    )
    # Answered in batches of any shape, as nothing else is asked.
    classifier.reproducible = lambda: classifier  # type: ignore[method-assign]
    found = []
    for shares in (True, False):
        classifier.shares_prefix = shares
        classifier.refresh()
        took, said = seconds(classifier, text, options)
        found.append((took, said))
        print(f"{'shared' if shares else 'not shared'}: {took:.1f} s of one core")
    print(
        f"{len(classifier.model.prompt)} tokens of template, {len(text.split())} words of text, "
        f"{given.draws} draws: {found[1][0] / found[0][0]:.2f} times faster; "
        f"votes {'equal' if found[0][1] == found[1][1] else found}"
    )


if __name__ == "__main__":
    main()
