"""How the commands load a model; mistakes in how to are told before torch is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.data import check_source
from fuzzsmooth.models import resolve_model

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class Loading(Options):
    """How a model is loaded."""

    device: Annotated[str, "``auto`` or a PyTorch device."] = "auto"
    precision: Annotated[Literal["auto", "float32", "bfloat16"], "Arithmetic of the forward passes."] = "auto"
    batch_size: Annotated[int, Between(1, 65_536), "Texts per forward pass, 1 to 65,536."] = 32
    max_length: Annotated[
        int | None,
        Between(3, 1_000_000),
        "Where texts are cut, in tokens, 3 to 1,000,000; None for the model's own limit.",
    ] = None
    allow_bin: Annotated[bool, "Whether the tensors of a .bin checkpoint may be read."] = False
    threads: Annotated[
        int | None,
        Between(1, 1_024),
        "Processor threads of the arithmetic, 1 to 1,024; None leaves it to PyTorch.",
    ] = None

    def load(self, model: str) -> HuggingFaceClassifier:
        """Load a model, as :func:`fuzzsmooth.models.load_classifier` does.

        Raises:
            FuzzsmoothError: If it is missing, damaged, or no classifier.
        """
        import torch

        from fuzzsmooth.models import load_classifier

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        return load_classifier(
            model,
            device=self.device,
            precision=self.precision,
            batch_size=self.batch_size,
            max_length=self.max_length,
            allow_bin=self.allow_bin,
        )


def check_inputs(*, model: object = None, data: object = None) -> None:
    """Check that a model and data are there, as far as their names tell, without reading them.

    Args:
        model: A model's name, or None where there is none or what is no name, which its options refuse.
        data: A data set, likewise.

    Raises:
        FuzzsmoothError: If there is no such folder or file.
    """
    if isinstance(model, str):
        resolve_model(model)
    if isinstance(data, str):
        check_source(data)
