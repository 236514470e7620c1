"""What a demonstration leaves to try: the attacked model, fine-tuned and protected, as one folder."""

from __future__ import annotations

from pathlib import Path

from fuzzsmooth.bench.experiment import victim_folder
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.data.telling import Tell, unheard
from fuzzsmooth.jobs.loading import Machine
from fuzzsmooth.jobs.order import Order, ProtectOptions
from fuzzsmooth.jobs.protect import carry_out

PROTECTED = "protected"
"""Name of the folder inside that of the run."""

_ROW = "frs"
_HELD_OUT = 50  # enough to see that it works, few enough for a demonstration


def keep_protected(
    options: ExperimentOptions, out: Path, *, stages: Stages = silent_stages, tell: Tell = unheard
) -> Path | None:
    """Protect the first seed's victim of the row "frs", which an experiment has fine-tuned.

    Args:
        options: The finished experiment.
        out: Its folder.
        stages: Progress display.
        tell: Told what is to be known.

    Returns:
        The folder of the protected model; None if the experiment has no such row.

    Raises:
        FuzzsmoothError: As :func:`fuzzsmooth.jobs.protect.protect_model`.
    """
    row = options.bench_rows(options.seeds[0]).get(_ROW)
    if row is None:
        return None
    columns = {"text_column": options.text_column, "label_column": options.label_column}
    order = Order(
        str(victim_folder(options, out, row, options.seeds[0])),
        options.data,
        out / PROTECTED,
        row.defense,
        row.options,
        ProtectOptions(holdout=_HELD_OUT, finetune=False),
        machine=Machine(),
        columns={**columns, "train_size": options.train_size},
    )
    carry_out(order, stages=stages, tell=tell)
    return order.out
