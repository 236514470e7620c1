"""Fine-tuning of classifiers: plain, smoothed by parameter noise, augmented by text noise."""

from fuzzsmooth.training.finetune import check_output, check_trainable, finetune
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.progress import Progress, bar, silent
from fuzzsmooth.training.smoothing_callback import SmoothedStep, SmoothingCallback, smoothed_step

__all__ = [
    "FinetuneOptions",
    "Progress",
    "SmoothedStep",
    "SmoothingCallback",
    "bar",
    "check_output",
    "check_trainable",
    "finetune",
    "silent",
    "smoothed_step",
]
