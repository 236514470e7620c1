"""Keep transformers silent for a while: its load report, warnings and progress bars."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers inside the block and restore its verbosity and progress bars afterwards."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging as hf_logging

    verbosity = hf_logging.get_verbosity()
    bars, hub_bars_off = hf_logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    with warnings.catch_warnings():
        # Also hides the note that an environment variable pins the hub's bars: then nothing changes.
        warnings.simplefilter("ignore")
        hf_logging.set_verbosity(hf_logging.CRITICAL)
        hf_logging.disable_progress_bar()
        try:
            yield
        finally:
            hf_logging.set_verbosity(verbosity)
            if bars:
                hf_logging.enable_progress_bar()
            # transformers switches the hub's bars along with its own: put them back by themselves.
            (disable_progress_bars if hub_bars_off else enable_progress_bars)()
