"""Chat formats, known by the marks in a vocabulary: the templates that models bring along are programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError


@dataclass(frozen=True)
class ChatFormat:
    """How a family of chat models was trained to read a turn.

    Attributes:
        name: What it is called.
        marks: What the vocabulary then has.
        turn: A user's turn, ``{0}``, with the beginning of the answer.
        end: The mark that ends an answer; empty where the token that ends a text does.
    """

    name: str
    marks: tuple[str, ...]
    turn: str
    end: str = ""


CHATS = (
    ChatFormat(
        "ChatML",
        ("<|im_start|>", "<|im_end|>"),
        "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    ChatFormat(
        "Llama 3",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|start_header_id|>user<|end_header_id|>\n\n{0}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
    ),
    ChatFormat(
        "Gemma",
        ("<start_of_turn>", "<end_of_turn>"),
        "<start_of_turn>user\n{0}<end_of_turn>\n<start_of_turn>model\n",
        "<end_of_turn>",
    ),
    ChatFormat(
        "Phi-3",
        ("<|user|>", "<|assistant|>", "<|end|>"),
        "<|user|>\n{0}<|end|>\n<|assistant|>\n",
        "<|end|>",
    ),
    ChatFormat("Mistral", ("[INST]", "[/INST]"), "[INST]{0}[/INST]"),
)
"""The formats that are known."""


def chat_format(tokenizer: Any) -> ChatFormat | None:
    """The chat format whose marks a tokenizer has, or None."""
    vocabulary = tokenizer.get_vocab()
    return next((one for one in CHATS if all(mark in vocabulary for mark in one.marks)), None)


def as_chat(template: str, tokenizer: Any, name: str) -> str:
    """A template as a user's turn.

    Args:
        template: With the slot for the text.
        tokenizer: The model's tokenizer.
        name: The model's name, for sentences.

    Raises:
        FuzzsmoothError: If the tokenizer has the marks of no known format.
    """
    found = chat_format(tokenizer)
    if found is None:
        raise FuzzsmoothError(
            f"{name}: its tokenizer has the marks of no chat format that is known here "
            f"({', '.join(one.name for one in CHATS)}); leave out --chat, or write its marks into the "
            "template"
        )
    return found.turn.replace("{0}", template.strip())
