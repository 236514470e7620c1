"""DBS as published: with a clean model of the same data, which the trigger must not move."""

from __future__ import annotations

from typing import Any, ClassVar

from fuzzsmooth.auditing.detector import DETECTORS, Suspect
from fuzzsmooth.auditing.detectors.dbs import Dbs
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.common.errors import FuzzsmoothError


@DETECTORS.register("dbs-twin")
class DbsTwin(Dbs):
    """The same with a clean model of the same data, as published."""

    paper: ClassVar[str] = "Shen et al., ICML 2022"
    needs_twin: ClassVar[bool] = True

    def benign(self, suspect: Suspect, hosts: list[Host]) -> Any:
        """The clean model."""
        del hosts
        if suspect.twin is None:
            raise FuzzsmoothError("detector 'dbs-twin' needs a clean model of the same data; give one")
        return suspect.twin.model.eval()
