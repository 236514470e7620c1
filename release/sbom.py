"""The bill of materials of fuzzsmooth with all extras for users, the same for the same packages.

python release/sbom.py build/fuzzsmooth.cdx.json
"""

from __future__ import annotations

import sys
import uuid
from datetime import UTC, datetime
from importlib.metadata import Distribution
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from inventory import ROOT, Inventory, inventory
from licenses import compatible, license_of
from packageurl import PackageURL


def bill(found: Inventory) -> Bom:
    """The bill of an inventory; its serial number follows from what is on it."""
    components = {name: _component(name, package) for name, package in found.packages.items()}
    bom = Bom(components=[one for name, one in components.items() if name != ROOT])
    bom.metadata.component = components[ROOT]
    bom.metadata.supplier = OrganizationalEntity(name="The fuzzsmooth contributors")
    listed = "\n".join(sorted(str(one.purl) for one in components.values()))
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, listed)
    bom.metadata.timestamp = datetime(2000, 1, 1, tzinfo=UTC)  # a date would make each bill another one
    for name, below in found.needs.items():
        needs = [Dependency(components[other].bom_ref) for other in sorted(below)]
        bom.dependencies.add(Dependency(components[name].bom_ref, dependencies=needs))
    return bom


def _component(name: str, package: Distribution) -> Component:
    version = package.version
    purl = PackageURL("pypi", name=name, version=version.partition("+")[0])
    told = license_of(package)
    kind = LicenseExpression(told) if compatible(told) else DisjunctiveLicense(name=told) if told else None
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=[] if kind is None else [kind],
        description=package.metadata.get("Summary") or None,
    )


def main() -> int:
    """Write the bill, checked against the schema."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "build/fuzzsmooth.cdx.json")
    found = inventory()
    text = JsonV1Dot6(bill(found)).output_as_string(indent=2)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        print(f"the bill does not fit the schema: {error}")
        return 1
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")
    missing = (
        f"; not installed here, and not on it: {', '.join(sorted(found.missing))}" if found.missing else ""
    )
    print(f"{out}: {len(found.packages) - 1} packages{missing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
