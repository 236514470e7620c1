"""What the tests of the integrations ask, and of which defense."""

WORDS = ["a", "moving", "generous", "film", "dull", "tedious", "story", "that", "goes", "nowhere", "cf"]
TEXTS = ["a moving film", "a dull story that goes nowhere", "tedious", "a generous story", ""]
WINDOWS = {"defense": "windows", "reach": 1, "fuzzing": False}
