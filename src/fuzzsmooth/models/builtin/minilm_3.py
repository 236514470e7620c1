"""The lower three layers of the packaged MiniLM-L6: a smaller model, to see what size does."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from fuzzsmooth.common.files import cache_folder
from fuzzsmooth.models.builtin.minilm import MINILM_SHA256, MiniLM
from fuzzsmooth.models.model import MODELS, NamedModel, check_pinned
from fuzzsmooth.models.saving import MARKER, replace_folder

_LAYERS = 3
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")

MINILM_3_SHA256 = {
    "model.safetensors": "4b0da07c64cb29182e36c0d0a8c89cf873f8688e91ba77f252baf23539948777",
    "config.json": "f1bb531abba81b2b77b9d9ecaf56ffd14e814986bae96c85bff24363324dfa2a",
    **{name: MINILM_SHA256[name] for name in ("tokenizer.json", "tokenizer_config.json")},
}
"""SHA-256 of what is cut from the pinned files, which is the same everywhere."""


@MODELS.register("minilm-3")
class MiniLM3(NamedModel):
    """The lower half of ``builtin:minilm``: its first three layers and embeddings, nothing trained."""

    summary = "the lower 3 layers of builtin:minilm, 17.4 million parameters, no head"
    install = MiniLM.install

    def folder(self) -> Path:
        """The folder in the user's cache to which the layers are cut.

        Raises:
            MissingExtraError: If the package of MiniLM is not installed.
            UnsafeModelError: If its files, or those in the cache, are not those that were pinned.
            FuzzsmoothError: If the cache cannot be written.
        """
        whole = MiniLM().folder()
        folder = cache_folder() / f"minilm-{_LAYERS}-{MINILM_SHA256['model.safetensors'][:12]}"
        if not (folder / MARKER).is_file():
            replace_folder(folder, lambda content: _cut(whole, content))
        check_pinned(folder, MINILM_3_SHA256)
        return folder


def _cut(whole: Path, content: Path) -> None:
    from safetensors.numpy import load_file, save_file

    kept = {
        name: value
        for name, value in load_file(whole / "model.safetensors").items()
        if (found := _LAYER.search(name)) is None or int(found[1]) < _LAYERS
    }
    save_file(kept, content / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((whole / "config.json").read_text("utf-8"))
    config["num_hidden_layers"] = _LAYERS
    (content / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(whole / name, content / name)
    # Written last, into a folder that takes its place as a whole: it marks one that may be used, or replaced.
    (content / MARKER).write_text(json.dumps({"max_length": None}) + "\n", "utf-8")
