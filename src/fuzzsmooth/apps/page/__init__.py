"""The page: a defended model in a browser, for people who paste a text and want to see what is done to it.

:mod:`.asking` answers, step by step, in one thread; :mod:`.fragments` turns what it says into HTML, every
text and name escaped; :mod:`.blocks` lays the page out with Gradio, :mod:`.running` puts it onto a port. The
browser asks nobody else: no fonts, scripts or counts of visitors come from elsewhere.
"""
