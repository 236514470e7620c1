"""What every front end does: load and defend a model, answer many texts, protect a user's own model.

Nothing here prints. Work tells its progress to :class:`fuzzsmooth.bench.stages.Stages`, and what the user
should know to a function that takes a sentence; front ends show both in their way.
"""
