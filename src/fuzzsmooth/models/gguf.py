"""A model in one GGUF file, as a folder of safetensors: converted once, kept in the user's cache."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
from pathlib import Path

from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.common.files import cache_folder
from fuzzsmooth.models.saving import MARKER, replace_folder


def converted(file: Path, name: str, begin: str) -> Path:
    """The folder that a GGUF file of a causal language model was converted to; converted now if it was not.

    Its quantized weights become float32, exactly. The folder appears whole or not at all, so that several
    processes may convert at once.

    Args:
        file: The file, whose content is known to be what it should be.
        name: Name of the folder in the cache; another one for other content.
        begin: The token that texts begin with.

    Raises:
        MissingExtraError: If the reader of such files is not installed.
        FuzzsmoothError: If the cache cannot be written.
    """
    folder = cache_folder() / name
    if (folder / MARKER).is_file():
        return folder
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("gguf", "llm", f"the model in {file.name}")
    replace_folder(folder, lambda content: _convert(file, content, begin))
    return folder


def _convert(file: Path, content: Path, begin: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from fuzzsmooth.models.quiet import quiet_transformers

    # The bar of the conversion is drawn whatever transformers is told.
    bars = contextlib.redirect_stderr(io.StringIO())
    with bars, quiet_transformers(), torch.random.fork_rng(devices=[]):
        read = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
        )
        if getattr(read.config, "quantization_config", None) is not None:
            del read.config.quantization_config
        # The model that was read will not be saved, as it counts as quantized: one freshly made will. It is
        # made without memory of its own, as initializing it would take a minute.
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(read.config)
        model.load_state_dict(read.state_dict(), assign=True)
        model.tie_weights()
        tokenizer = AutoTokenizer.from_pretrained(
            file.parent, gguf_file=file.name, local_files_only=True, trust_remote_code=False
        )
        tokenizer.bos_token = begin
        tokenizer.chat_template = None
        model.config.bos_token_id = tokenizer.bos_token_id
        model.config._name_or_path = ""
        model.save_pretrained(content)
        tokenizer.save_pretrained(content)
    # Written last, into a folder that takes its place as a whole: it marks one that may be used, or replaced.
    (content / MARKER).write_text(json.dumps({"max_length": None}) + "\n", "utf-8")
