"""Which folders a model is read from: its own, or an adapter's and that of the model it changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fuzzsmooth.common.options import require
from fuzzsmooth.models.adapter import base_name, head_rows, is_adapter
from fuzzsmooth.models.added_tokens import check_added_tokens
from fuzzsmooth.models.configuration import check_configuration
from fuzzsmooth.models.sources import model_folder, resolve_model
from fuzzsmooth.models.tokenizer_files import check_tokenizer_files

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ModelFiles:
    """Where the parts of a model are.

    Attributes:
        folder: Configuration and weights.
        tokenizer: The tokenizer.
        adapter: The adapter that is merged into the weights, if the model was named by one.
        base: The name of the adapter's base model.
    """

    folder: Path
    tokenizer: Path
    adapter: Path | None = None
    base: str = ""

    def tensors(self, *, allow_bin: bool = False) -> dict[str, torch.Tensor]:
        """The weights by name; errors as :func:`read_tensors` and :func:`merge_adapter`."""
        from fuzzsmooth.models.adapter_merging import merge_adapter  # torch, which a look at a model must not
        from fuzzsmooth.models.checkpoint import read_tensors

        own = read_tensors(self.folder, allow_bin=allow_bin)
        return own if self.adapter is None else merge_adapter(self.adapter, own)

    def adapter_classes(self) -> int | None:
        """Outputs of the head that the adapter brings along, if it does."""
        return None if self.adapter is None else head_rows(self.adapter)

    def check_tokenizer(self, name: str) -> None:
        """Check the files of the tokenizer; errors as those checks have them."""
        check_tokenizer_files(self.tokenizer, name)
        check_added_tokens(self.tokenizer)


def model_files(name: str, *, allow_bin: bool = False) -> ModelFiles:
    """Find a model, and check what its configuration says.

    Args:
        name: As in :func:`fuzzsmooth.models.load_classifier`.
        allow_bin: As there.

    Raises:
        UnsafeModelError: If the configuration refers to code.
        FuzzsmoothError: If the model is missing, or its configuration damaged.
    """
    folder = model_folder(resolve_model(name), allow_bin=allow_bin)
    if not is_adapter(folder):
        check_configuration(folder)
        return ModelFiles(folder, folder)
    base = base_name(folder)
    below = model_folder(resolve_model(base), allow_bin=allow_bin)
    require(
        not is_adapter(below), f"{name} is an adapter of an adapter ({base}); merge that one into its model"
    )
    check_configuration(below)
    own = any((folder / file).is_file() for file in ("tokenizer.json", "tokenizer_config.json"))
    return ModelFiles(below, folder if own else below, folder, base)
