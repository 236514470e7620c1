"""Fine-tuning of classifiers: plain, smoothed by parameter noise, on views of texts; and calibration.

The options are importable without torch: names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.common.lazy import lazy_names

if TYPE_CHECKING:
    from fuzzsmooth.training.calibration import (
        Offsets,
        Score,
        add_offsets,
        choose_offsets,
        deletion_score,
        window_score,
    )
    from fuzzsmooth.training.finetuning import finetune, is_main_process, leave_processes
    from fuzzsmooth.training.options import FinetuneOptions
    from fuzzsmooth.training.output import check_output
    from fuzzsmooth.training.progress import Progress, silent
    from fuzzsmooth.training.smoothing_callback import SmoothedStep, SmoothingCallback
    from fuzzsmooth.training.starting import splits_for
    from fuzzsmooth.training.trainable import check_trainable

__all__ = [
    "FinetuneOptions",
    "Offsets",
    "Progress",
    "Score",
    "SmoothedStep",
    "SmoothingCallback",
    "add_offsets",
    "check_output",
    "check_trainable",
    "choose_offsets",
    "deletion_score",
    "finetune",
    "is_main_process",
    "leave_processes",
    "silent",
    "splits_for",
    "window_score",
]

__getattr__ = lazy_names(
    __name__,
    {
        "FinetuneOptions": "options",
        "Offsets": "calibration",
        "Progress": "progress",
        "Score": "calibration",
        "SmoothedStep": "smoothing_callback",
        "SmoothingCallback": "smoothing_callback",
        "add_offsets": "calibration",
        "check_output": "output",
        "check_trainable": "trainable",
        "choose_offsets": "calibration",
        "deletion_score": "calibration",
        "finetune": "finetuning",
        "is_main_process": "finetuning",
        "leave_processes": "finetuning",
        "silent": "progress",
        "splits_for": "starting",
        "window_score": "calibration",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
