"""What a classifier must be for what is asked of it: checked before anything is computed."""

from __future__ import annotations

from fuzzsmooth.common.options import require
from fuzzsmooth.engine.options import SmoothingOptions
from fuzzsmooth.engine.weighted import TypeRates
from fuzzsmooth.models.protocol import Classifier, declares_deterministic


def check_rates(rates: TypeRates, classifier: Classifier, options: SmoothingOptions) -> None:
    """Refuse flip rates of another model, and what rates per type cannot be combined with."""
    rates.check_model(classifier)
    require(options.mode == "certified", "a table of rates per type is for mode 'certified'")
    require(
        options.weight_distance is None,
        "a weight distance needs one rate for all types; leave out the table or the distance",
    )


def check_deterministic(classifier: Classifier, options: SmoothingOptions) -> None:
    """Refuse what takes a single answer of the classifier for a fact, where it may answer by chance."""
    if declares_deterministic(classifier):
        return
    way_out = "declare it deterministic if it always gives the same answer to the same text"
    require(
        options.mode != "windows",
        f"mode 'windows' certifies without draws and needs a deterministic classifier; {way_out}"
        " (CallableClassifier(..., deterministic=True)), or use mode 'certified'",
    )
    require(
        options.mode != "certified" or not options.fuzzing,
        f"mode 'certified' fuzzes by what the classifier answered once; {way_out}"
        " (CallableClassifier(..., deterministic=True)), or turn fuzzing off (fuzzing=False)",
    )
