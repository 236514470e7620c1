"""Settings of fine-tuning."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from fuzzsmooth.common.options import SEEDS, Between, Options, require

TextNoise = Literal["none", "delete", "mask", "windows"]
Tune = Literal["auto", "full", "lora"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuneOptions(Options):
    """How a classifier is fine-tuned; the defaults suit a MiniLM- or BERT-base-sized encoder."""

    epochs: Annotated[int, Between(1, 10_000), "Passes over the data."] = 3
    learning_rate: Annotated[
        float,
        Between(0, 100, above=True),
        "Peak step size of AdamW, > 0; it rises linearly during warm-up and falls linearly to 0.",
    ] = 5e-5
    layers: Annotated[
        int | None,
        Between(1, 10_000),
        "How many of the model's layers are kept, counted from the input, or None for all. Two are enough "
        "for the few words that deletion at a rate of .9 leaves, and ask in less than half the time.",
    ] = None
    tune: Annotated[
        Tune,
        "What is trained. ``full``: all weights. ``lora``: low-rank changes of the linear maps, added to "
        "them at the end, and the head; it needs ``peft``. ``auto``: ``lora`` for models that read from "
        "left to right (Llama, Qwen, GPT-2, ...), ``full`` for the others.",
    ] = "auto"
    lora_rank: Annotated[int, Between(1, 4_096), "Rank r of the low-rank changes."] = 16
    lora_alpha: Annotated[
        float, Between(0, 65_536, above=True), "The low-rank changes are scaled by this over their rank."
    ] = 32.0
    lora_dropout: Annotated[
        float, Between(0, 1, below=True), "Dropout of what the low-rank changes read, while they are trained."
    ] = 0.05
    lora_learning_rate: Annotated[
        float, Between(0, 100, above=True), "Peak step size in place of ``learning_rate`` where LoRA trains."
    ] = 2e-4
    batch_size: Annotated[int, Between(1, 65_536), "Texts per step and process."] = 32
    weight_decay: Annotated[float, Between(0, 100), "Decoupled weight decay."] = 0.01
    warmup: Annotated[float, Between(0, 1, below=True), "Share of all steps used for warm-up, in [0, 1)."] = (
        0.1
    )
    max_length: Annotated[
        int,
        Between(3, 1_000_000),
        "Longest token sequence; longer texts are cut. The model's own limit holds if smaller.",
    ] = 128
    max_grad_norm: Annotated[
        float,
        Between(0, 1_000_000_000),
        "Gradients are clipped to this Euclidean norm; 0 turns clipping off.",
    ] = 1.0
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        "Arithmetic of the forward pass; ``auto`` takes bfloat16 where the device multiplies bfloat16 "
        "matrices in hardware and float32 elsewhere. Weights and optimizer stay float32.",
    ] = "auto"
    sigma: Annotated[
        float,
        Between(0, 100),
        "Standard deviation of the parameter noise in smoothed fine-tuning, 0 for plain. Published "
        "descriptions of FRS give 0.01 without saying whether that is the variance; we take it as the "
        "standard deviation.",
    ] = 0.0
    top_layers: Annotated[
        int | None,
        Between(0, 10_000),
        "How many transformer layers, counted from the output, receive the noise (FRS: H); the "
        "classifier head always does. None is the 10 of FRS, or all layers of a model that has fewer.",
    ] = None
    rho: Annotated[
        float | None,
        Between(0, 1_000_000_000_000, above=True),
        "Norm to which all parameters together are clipped after each update (FRS, Eq. 4), or None.",
    ] = None
    text_noise: Annotated[
        TextNoise,
        "What is seen in place of a text, drawn afresh in every epoch. ``delete``: copies without words, "
        "each deleted with probability ``text_rate``. ``mask``: copies of which the share ``text_rate`` "
        "of the words is masked. ``windows``: the text, and whichever of ``candidates`` copies without "
        "one window of at most ``window`` words has the largest loss.",
    ] = "none"
    text_rate: Annotated[float, Between(0, 1, below=True), "Rate of ``delete`` and ``mask``, in [0, 1)."] = (
        0.0
    )
    text_kept: Annotated[
        float | None,
        Between(0, 1_000, above=True),
        "For ``delete``, rates by length: the words that are expected to be left of a text, however long it "
        "is; n words then have the rate 1 - text_kept / n, within ``text_rate_short`` and ``text_rate``.",
    ] = None
    text_rate_short: Annotated[
        float, Between(0, 1, above=True, below=True), "With ``text_kept``, the rate of the shortest texts."
    ] = 0.8
    copies: Annotated[
        int, Between(1, 1_000), "Copies of each text in a step, for ``delete`` and ``mask``."
    ] = 1
    window: Annotated[
        int, Between(0, 1_000), "Longest window of ``windows``, in words; 0 for the other kinds."
    ] = 0
    candidates: Annotated[int, Between(1, 1_000), "Windows that are tried per text and step."] = 4
    checkpoint_steps: Annotated[
        int,
        Between(0, 1_000_000_000),
        "Steps between checkpoints where an output folder is given; 0 for one per epoch.",
    ] = 0
    seed: Annotated[
        int, Between(0, SEEDS), "Decides data order, dropout, text noise and parameter noise."
    ] = 0

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
            self.text_kept is None
            or (self.text_noise == "delete" and self.text_rate_short <= self.text_rate),
            "text_kept needs text_noise 'delete' and text_rate_short <= text_rate",
        )
        require(
            windows == (self.window > 0),
            "text_noise 'windows' and a window above 0 belong together: give both or neither",
        )
