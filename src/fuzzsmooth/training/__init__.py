"""Fine-tuning of classifiers: plain, smoothed by parameter noise, on views of texts; and calibration."""

from fuzzsmooth.training.calibration import (
    Offsets,
    Score,
    add_offsets,
    choose_offsets,
    deletion_score,
    window_score,
)
from fuzzsmooth.training.finetune import check_output, check_trainable, finetune, is_main_process
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.progress import Progress, bar, silent
from fuzzsmooth.training.smoothing_callback import SmoothedStep, SmoothingCallback, smoothed_step
from fuzzsmooth.training.starting import splits_for

__all__ = [
    "FinetuneOptions",
    "Offsets",
    "Progress",
    "Score",
    "SmoothedStep",
    "SmoothingCallback",
    "add_offsets",
    "bar",
    "check_output",
    "check_trainable",
    "choose_offsets",
    "deletion_score",
    "finetune",
    "is_main_process",
    "silent",
    "smoothed_step",
    "splits_for",
    "window_score",
]
