"""Language models behind an OpenAI-compatible endpoint: black boxes asked for the class of a text."""
