"""Refuses a dependency whose license is not known to go with Apache-2.0.

    python release/licenses.py

A license is read from the package's own metadata; what that does not say, or says in words of its own, is
looked up in a table here, with where it was read.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import Distribution
from typing import Any

from inventory import ROOT, inventory
from license_expression import ExpressionError, Licensing, get_spdx_licensing

COMPATIBLE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CNRI-Python",
        "HPND",
        "ISC",
        "LLVM-exception",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
        "ZPL-2.1",
    }
)
NAMED = {
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "python software foundation license v2": "PSF-2.0",
    "psf": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "zope public license": "ZPL-2.1",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
}
# What metadata do not say in a form that is read here, with where it was looked up.
LOOKED_UP: dict[str, str] = {
    "agent-client-protocol": "Apache-2.0",  # its file LICENSE
    "locate": "MIT",  # its file LICENSE; its classifier says "Other/Proprietary"
}
# Drivers that builds of torch for CUDA bring: proprietary, and free to use and to pass on with software.
FREE_OF_CHARGE = ("nvidia-", "cuda-")


def license_of(package: Distribution) -> str:
    """The license of a package, as an SPDX expression where it is one; empty if it says nothing."""
    name = package.metadata["Name"].lower()
    if name in LOOKED_UP:
        return LOOKED_UP[name]
    if expression := package.metadata.get("License-Expression"):
        return str(expression)
    classifiers = package.metadata.get_all("Classifier") or []
    found = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    found = [one for one in found if one != "OSI Approved"]
    if found:
        return " OR ".join(NAMED.get(one.lower(), one) for one in found)
    told = (package.metadata.get("License") or "").strip()
    first = told.splitlines()[0].strip() if told else ""  # some put the whole text here
    return NAMED.get(first.lower(), first)


def compatible(expression: str) -> bool:
    """Whether one way of reading an SPDX expression uses compatible licenses alone."""
    licensing = _licensing()
    try:
        parsed = licensing.parse(expression, validate=True)
    except (ExpressionError, ValueError):
        return False
    if parsed is None:
        return False
    return _usable(parsed, licensing)


def _usable(part: Any, licensing: Licensing) -> bool:
    """Whether all of an AND, or any of an OR, is compatible; a license by its keys, exceptions included."""
    if isinstance(part, licensing.OR):
        return any(_usable(one, licensing) for one in part.args)
    if isinstance(part, licensing.AND):
        return all(_usable(one, licensing) for one in part.args)
    return all(key in COMPATIBLE for key in licensing.license_keys(part))


@lru_cache(maxsize=1)
def _licensing() -> Licensing:
    return get_spdx_licensing()  # a second each time


def main() -> int:
    """Say what is not known to be compatible; exit code 1 if anything is not."""
    found = inventory()
    bad = []
    for name, package in sorted(found.packages.items()):
        if name != ROOT and not name.startswith(FREE_OF_CHARGE) and not compatible(license_of(package)):
            bad.append(f"{name} {package.version}: {license_of(package) or 'says nothing'}")
    for line in bad:
        print(line)
    print(f"{len(found.packages) - 1} packages, {len(bad)} of unknown or incompatible license")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
