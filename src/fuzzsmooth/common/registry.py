"""Registries: things by name, each in a file of its own, ours and other packages'.

A thing registers itself where it is written::

    @DEFENSES.register("onion")
    class Onion(Defense): ...

Ours are the modules of one package, found there by their names; nothing lists them. Others come from
installed packages by entry points of the group ``fuzzsmooth.defenses`` and so on, whose modules are imported.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import did_you_mean

T = TypeVar("T")
ThingT = TypeVar("ThingT")


class PluginWarning(UserWarning):
    """A plug-in of another package could not be loaded."""


class Registry(Generic[T]):
    """Things of one kind by name.

    Args:
        kind: What they are, for sentences, such as "defense".
        home: The package whose modules define ours, and the group of entry points that define others'.
    """

    def __init__(self, kind: str, home: str) -> None:
        self.kind = kind
        self.home = home
        self._things: dict[str, T] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[ThingT], ThingT]:
        """A decorator that registers what it decorates under a name, and gives it that ``name``.

        Raises:
            FuzzsmoothError: If something else has that name.
        """

        def keep(thing: ThingT) -> ThingT:
            known = self._things.get(name)
            if known is not None and _place(known) != _place(thing):
                raise FuzzsmoothError(
                    f"two {self.kind}s are called '{name}': {_place(known)} and {_place(thing)}; rename one"
                )
            self._things[name] = thing  # type: ignore[assignment]  # kinds are checked where they are defined
            thing.name = name  # type: ignore[attr-defined]
            return thing

        return keep

    def get(self, name: str) -> T:
        """The thing of a name; only its own module is imported if it is ours.

        Raises:
            FuzzsmoothError: If there is none; the nearest name is suggested.
        """
        if name not in self._things:
            self._import_own(name.replace("-", "_"))
        if name not in self._things:
            known = self.all()
            if name not in known:
                raise FuzzsmoothError(f"unknown {self.kind} '{name}'; {did_you_mean(name, known)}")
        return self._things[name]

    def all(self) -> dict[str, T]:
        """Everything there is, by name in alphabetical order."""
        if not self._complete:
            package = importlib.import_module(self.home)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.home}.{module.name}")
            for point in entry_points(group=self.home):
                self._import_foreign(point.name, point.value)
            self._complete = True
        return dict(sorted(self._things.items()))

    def _import_own(self, module: str) -> None:
        if not module.isidentifier():
            return
        try:
            importlib.import_module(f"{self.home}.{module}")
        except ModuleNotFoundError as error:
            if error.name != f"{self.home}.{module}":
                raise

    def _import_foreign(self, name: str, place: str) -> None:
        try:
            importlib.import_module(place.partition(":")[0])
        except Exception as error:  # noqa: BLE001 - whatever another package does, ours goes on without it
            warnings.warn(
                f"the {self.kind} '{name}' of another package could not be loaded from {place}: {error}",
                PluginWarning,
                stacklevel=4,
            )


def _place(thing: object) -> str:
    return f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', thing)}"
