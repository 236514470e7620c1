"""Defenses that learn something from the defender's clean data before they answer: a threshold, a word.

What was learned is kept in a folder, so it is learned once: by ``fuzzsmooth protect`` beside the weights of
the protected model, by the bench beside its victims.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import Advance, Defense, Needs
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.training.progress import Progress, silent

STATE = "fitted.json"
"""Name of what was learned, inside its folder."""

_OTHER = {"defense": "another defense", "options": "other options", "model": "another model"}


class FittedDefense(Defense):
    """A defense that has to be fitted, or restored, before it answers.

    Attributes:
        warnings: What went wrong in its calibration, a sentence each; its answers are then worth less.
    """

    needs: ClassVar[Needs] = Needs(clean_data=True)
    warnings: tuple[str, ...] = ()

    @abstractmethod
    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """Learn from what the defender has.

        Args:
            material: It; thresholds are chosen on ``held_out``.
            folder: Where large things are kept (models); what is there from a stopped run may be used.
            progress: Called with steps done and steps in all.

        Returns:
            What was learned, as JSON values; under "warnings" the sentences of :attr:`warnings`, if any.
        """

    @abstractmethod
    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """Take over what :meth:`learn` has learned.

        Args:
            state: Its JSON values, as read from a file: check what a damaged one could break.
            folder: Where it kept large things.

        Raises:
            FuzzsmoothError: If they are damaged.
        """

    @abstractmethod
    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """Answer each text, once fitted; see :meth:`fuzzsmooth.defenses.Defense.answer`."""

    def fit(self, material: Material, folder: Path, progress: Progress = silent) -> None:
        """See :meth:`fuzzsmooth.defenses.Defense.fit`."""
        if not (folder / STATE).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            state = dict(self.learn(material, folder, progress))
            write_json(folder / STATE, {**self._identity(), "state": state})
        self.restore(folder)

    def restore(self, folder: Path) -> None:
        """See :meth:`fuzzsmooth.defenses.Defense.restore`."""
        file, mend = folder / STATE, "fit the defense anew"
        content = read_json_object(file, mend=mend)
        state = content.get("state")
        for name, value in self._identity().items():
            require(
                content.get(name) == value,
                f"{file} was learned for {_OTHER[name]}; {mend}",
            )
        require(isinstance(state, dict), f"{file} is damaged; {mend}")
        assert isinstance(state, dict)
        self.warnings = _sentences(state.pop("warnings", []), f"{file} is damaged; {mend}")
        self.take(state, folder)
        self.fitted_in = folder

    @property
    def settings(self) -> dict[str, Any]:
        """See :attr:`fuzzsmooth.defenses.Defense.settings`; also what was learned, as a hash."""
        if self.fitted_in is None:
            return super().settings
        learned = hashlib.sha256((self.fitted_in / STATE).read_bytes()).hexdigest()
        return {**super().settings, "learned": learned}

    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """See :meth:`fuzzsmooth.defenses.Defense.answer`.

        Raises:
            FuzzsmoothError: If the defense was not fitted.
        """
        del certify
        if self.fitted_in is None:
            raise FuzzsmoothError(
                f"defense '{self.name}' is calibrated on clean data before it answers; run 'fuzzsmooth "
                f"protect MODEL --data DATA --defense {self.name} --out FOLDER' and use that folder"
            )
        return self.answered(texts, advance)

    def _identity(self) -> dict[str, Any]:
        return {
            "defense": self.name,
            "options": self.options.to_mapping(),
            "model": self.classifier.fingerprint,
        }


def kept_warnings(folder: Path) -> tuple[str, ...]:
    """The warnings of what was learned in a folder; none where nothing was."""
    file = folder / STATE
    if not file.is_file():
        return ()
    mend = "fit the defense anew"
    state = read_json_object(file, mend=mend).get("state")
    return _sentences(
        state.get("warnings", []) if isinstance(state, dict) else [], f"{file} is damaged; {mend}"
    )


def _sentences(value: object, damaged: str) -> tuple[str, ...]:
    require(isinstance(value, list) and all(isinstance(one, str) for one in value), damaged)
    return tuple(value) if isinstance(value, list) else ()
