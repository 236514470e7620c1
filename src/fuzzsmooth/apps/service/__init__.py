"""The service: a defended model behind standard protocols.

One thread answers, in batches gathered across requests; an event loop speaks HTTP. Protocols are one file
each (:mod:`fuzzsmooth.apps.service.protocols`) and know nothing of HTTP servers; :mod:`.http` puts them onto
FastAPI, :mod:`.running` onto a port. Nothing is written to disk, so a killed service leaves nothing behind.
"""
