"""``/metrics``: what is counted, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.apps.service.metrics import CONTENT_TYPE
from fuzzsmooth.apps.service.protocols.protocol import PROTOCOLS, Call, Protocol, Reply, Route


@PROTOCOLS.register("prometheus")
class Prometheus(Protocol):
    """Metrics of the service."""

    def routes(self) -> Sequence[Route]:
        """See :meth:`.protocol.Protocol.routes`."""
        return [Route("GET", "/metrics", "Metrics for Prometheus", self.page, {"type": "string"}, text=True)]

    async def page(self, _call: Call) -> Reply:
        """All metrics."""
        return Reply(self.service.metrics.page(), headers={"Content-Type": CONTENT_TYPE})
