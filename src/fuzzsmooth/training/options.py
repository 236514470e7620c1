"""Settings of fine-tuning."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Literal

from fuzzsmooth.common.options import SEEDS, Between, Options, require

TextNoise = Literal["none", "delete", "mask", "windows"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuneOptions(Options):
    """How a classifier is fine-tuned; the defaults suit a MiniLM- or BERT-base-sized encoder.

    Attributes:
        epochs: Passes over the data, >= 1.
        learning_rate: Peak step size of AdamW, > 0; it rises linearly during warm-up and falls linearly to 0.
        batch_size: Texts per step and process, >= 1.
        weight_decay: Decoupled weight decay, >= 0.
        warmup: Share of all steps used for warm-up, in [0, 1).
        max_length: Longest token sequence; longer texts are cut. The model's own limit holds if smaller.
        max_grad_norm: Gradients are clipped to this Euclidean norm; 0 turns clipping off.
        precision: Arithmetic of the forward pass; ``auto`` takes bfloat16 where the device multiplies
            bfloat16 matrices in hardware and float32 elsewhere. Weights and optimizer stay float32.
        sigma: Standard deviation of the parameter noise in smoothed fine-tuning, 0 for plain. Published
            descriptions of FRS give 0.01 without saying whether that is the variance; we take it as the
            standard deviation.
        top_layers: How many transformer layers, counted from the output, receive the noise (FRS: H), >= 0;
            the classifier head always does. None is the 10 of FRS, or all layers of a model that has fewer.
        rho: Norm to which all parameters together are clipped after each update (FRS, Eq. 4), or None.
        text_noise: What is seen in place of a text, drawn afresh in every epoch. ``delete``: copies without
            words, each deleted with probability ``text_rate``. ``mask``: copies of which the share
            ``text_rate`` of the words is masked. ``windows``: the text, and whichever of ``candidates``
            copies without one window of at most ``window`` words has the largest loss.
        text_rate: Rate of ``delete`` and ``mask``, in [0, 1).
        copies: Copies of each text in a step, for ``delete`` and ``mask``, >= 1.
        window: Longest window of ``windows``, in words; 0 for the other kinds.
        candidates: Windows that are tried per text and step, >= 1.
        checkpoint_steps: Steps between checkpoints where an output folder is given; 0 for one per epoch.
        seed: Decides data order, dropout, text noise and parameter noise.
        label: A free remark kept with the result.
    """

    epochs: int = 3
    learning_rate: float = 5e-5
    batch_size: int = 32
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_length: int = 128
    max_grad_norm: float = 1.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    sigma: float = 0.0
    top_layers: int | None = None
    rho: float | None = None
    text_noise: TextNoise = "none"
    text_rate: float = 0.0
    copies: int = 1
    window: int = 0
    candidates: int = 4
    checkpoint_steps: int = 0
    seed: int = 0
    label: str = ""

    RANGES = MappingProxyType(
        {
            "epochs": Between(1, 10_000),
            "learning_rate": Between(0, 100, above=True),
            "batch_size": Between(1, 65_536),
            "weight_decay": Between(0, 100),
            "warmup": Between(0, 1, below=True),
            "max_length": Between(3, 1_000_000),
            "max_grad_norm": Between(0, 1_000_000_000),
            "sigma": Between(0, 100),
            "top_layers": Between(0, 10_000),
            "rho": Between(0, 1_000_000_000_000, above=True),
            "text_rate": Between(0, 1, below=True),
            "copies": Between(1, 1_000),
            "window": Between(0, 1_000),
            "candidates": Between(1, 1_000),
            "checkpoint_steps": Between(0, 1_000_000_000),
            "seed": Between(0, SEEDS),
        }
    )

    def validate(self) -> None:
        """Check that the options of a kind of text noise come with it."""
        rated, windows = self.text_noise in ("delete", "mask"), self.text_noise == "windows"
        require(
            rated == (self.text_rate > 0),
            "text_noise 'delete' or 'mask' and a text_rate above 0 belong together: give both or neither",
        )
        require(
            self.copies == 1 or rated,
            f"copies {self.copies} needs text_noise 'delete' or 'mask': equal copies teach nothing more",
        )
        require(
            windows == (self.window > 0),
            "text_noise 'windows' and a window above 0 belong together: give both or neither",
        )
