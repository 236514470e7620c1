"""What a user installs: fuzzsmooth and all that it needs, as installed here, without the tools of `dev`.

python release/inventory.py > build/requirements.txt
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "fuzzsmooth"
NOT_FOR_USERS = frozenset({"dev"})


@dataclass
class Inventory:
    """Packages by canonical name, and who needs whom.

    Attributes:
        packages: What is installed.
        needs: For each, the names of those it needs that are installed.
        missing: Names that are needed and not installed here.
    """

    packages: dict[str, Distribution] = field(default_factory=dict)
    needs: dict[str, set[str]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


def inventory() -> Inventory:
    """Everything that fuzzsmooth with all its extras for users stands on."""
    extras = distribution(ROOT).metadata.get_all("Provides-Extra") or []
    found = Inventory()
    waiting = [(ROOT, frozenset(set(extras) - NOT_FOR_USERS))]
    seen = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            found.missing.add(name)
            continue
        found.packages[name] = installed
        below = found.needs.setdefault(name, set())
        for other, extra in _needed(installed, wanted):
            below.add(other)
            waiting.append((other, extra))
    for below in found.needs.values():
        below.intersection_update(found.packages)
    return found


def _needed(installed: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in installed.requires or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(one.name), frozenset(one.extras)


def main() -> None:
    """Print the packages with their versions, as pip reads them."""
    found = inventory()
    for name in sorted(found.packages):
        if name != ROOT:
            print(f"{name}=={found.packages[name].version.partition('+')[0]}")


if __name__ == "__main__":
    main()
