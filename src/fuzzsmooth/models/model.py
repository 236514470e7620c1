"""The contract of a model known by name: one file, one class, registered; ``builtin:NAME`` for users.

Ours are the modules of :mod:`fuzzsmooth.models.builtin`. Another package adds one by a class of its own and
an entry point of the group ``fuzzsmooth.models.builtin`` that names its module; it is then ``builtin:NAME``,
too. What is loaded is the folder that the class gives, as safely as any other folder. Such a module must not
import PyTorch at its top, since all of them are imported to be listed.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from fuzzsmooth.common.errors import UnsafeModelError
from fuzzsmooth.common.registry import Registry


class NamedModel(ABC):
    """A model known by name.

    Attributes:
        name: Under which it is registered.
        summary: What it is, on one line.
        install: How to get what it needs, such as "pip install toy".
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    install: ClassVar[str]

    @abstractmethod
    def folder(self) -> Path:
        """The folder of its files: configuration, weights (safetensors) and tokenizer.

        Raises:
            FuzzsmoothError: If it is not installed, with how to install it, or not what it should be.
        """

    def check(self) -> Path:
        """Where its files are, checked, without writing anything; by default as :meth:`folder`.

        Raises:
            FuzzsmoothError: If they are not installed.
            UnsafeModelError: If they are not the pinned ones.
        """
        return self.folder()


MODELS: Registry[type[NamedModel]] = Registry("built-in model", "fuzzsmooth.models.builtin")
"""All models known by name."""


def check_pinned(folder: Path, pinned: Mapping[str, str]) -> None:
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
                f"{expected[:12]}...); reinstall the package of the built-in model"
            )
