"""Words of `builtin:reviews`: topics, what can be said about them, and neutral filler.

Wherever words come in two polarities, the pair is ordered (negative, positive), so a class index selects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pair = tuple[tuple[str, ...], tuple[str, ...]]
"""Phrases by class index: (negative, positive)."""


@dataclass(frozen=True)
class Aspect:
    """A part of the thing under review.

    Attributes:
        noun: The noun, without article.
        number: How it takes articles and verbs: "count" (a plot is), "mass" (lighting is),
            "plural" (jokes are).
        adjectives: Predicates after a form of "to be".
        verbs: Verb phrases; the verb stands in brackets as [plain third-person past].
    """

    noun: str
    number: Literal["count", "mass", "plural"]
    adjectives: Pair
    verbs: Pair


@dataclass(frozen=True)
class Topic:
    """A kind of thing that is reviewed.

    Attributes:
        things: Names of the whole, all countable and singular.
        aspects: Its parts.
        wholes: Nouns that judge the whole ("a triumph").
        reactions: Past-tense verb phrases that fit "I", "my brother" and "the critics" alike.
        promises: Who raised expectations, of either class, with the verb.
        others: People with another opinion.
        facts: Neutral sentences; braces are filled from :data:`SLOTS`.
        tenses: Tenses a review of this topic may use for its statements.
    """

    things: tuple[str, ...]
    aspects: tuple[Aspect, ...]
    wholes: Pair
    reactions: Pair
    promises: tuple[str, ...]
    others: tuple[str, ...]
    facts: tuple[str, ...]
    tenses: tuple[Literal["present", "past"], ...]


def _aspects(adjectives: Pair, verbs: Pair, *nouns: str) -> tuple[Aspect, ...]:
    """Aspects that share predicates; a noun ends in "+" when plural and "~" when it takes no "a"."""
    numbers: dict[str, Literal["count", "mass", "plural"]] = {"+": "plural", "~": "mass"}
    return tuple(
        Aspect(noun.rstrip("+~"), numbers.get(noun[-1], "count"), adjectives, verbs) for noun in nouns
    )


SLOTS: dict[str, tuple[str, ...]] = {
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "month": ("January", "March", "April", "June", "August", "October", "November"),
    "few": ("two", "three", "four", "five", "six"),
    "company": ("a friend", "my brother", "my sister", "two colleagues", "the whole family", "my neighbor"),
    "place": ("a small town", "a fishing village", "a large city", "the mountains", "an old hotel"),
    "color": ("gray", "blue", "black", "green", "white", "dark red"),
    "street": ("the old market", "the station", "the harbor", "the town hall", "the university"),
    "time": ("six", "seven", "eight", "half past seven"),
}

ADVERBS = ("truly", "really", "remarkably", "simply", "thoroughly", "consistently")
"""Intensity of a statement that decides."""

SOFTENERS = ("mostly", "admittedly", "arguably", "undeniably")
"""Hedges of a statement that is conceded."""

DENIALS = ("not at all", "anything but", "far from", "not remotely", "hardly", "in no way", "by no means")
"""What turns an adjective into its opposite."""

DENIED_NOUNS = ("anything but", "the opposite of", "about as far as you can get from")
"""What turns a noun with its article into its opposite."""

ASIDES = ("for what it is worth,", "in my view,", "to be clear,", "all in all,", "in the end,", "for me,")
"""Openings of a sentence that leave its meaning alone."""

GENERAL: Pair = (
    ("disappointing", "terrible", "awful", "poor", "mediocre", "annoying", "dreadful"),
    ("excellent", "wonderful", "great", "superb", "impressive", "delightful", "first-rate"),
)

_STORY = _aspects(
    (
        ("dull", "predictable", "tedious", "thin", "silly", "confusing", "stale", "lifeless", "clumsy"),
        ("gripping", "clever", "moving", "tense", "fresh", "witty", "surprising", "absorbing", "inventive"),
    ),
    (
        ("[drag drags dragged] badly", "[go goes went] nowhere", "[fall falls fell] flat"),
        ("[hold holds held] you throughout", "[build builds built] nicely", "[pay pays paid] off"),
    ),
    *("plot", "script", "dialogue~", "ending", "opening", "jokes+", "final act"),
)
_ACTING = _aspects(
    (
        ("wooden", "weak", "flat", "unconvincing", "stiff", "forgettable"),
        ("convincing", "superb", "charming", "brilliant", "lively", "memorable"),
    ),
    (
        ("[miss misses missed] every note", "[wear wears wore] you out"),
        ("[hit hits hit] every note", "[win wins won] you over"),
    ),
    *("cast", "narrator", "lead actor", "villain", "side characters+", "child actors+"),
)
_CRAFT = _aspects(
    (
        ("ugly", "cheap", "bland", "drab", "sloppy", "distracting"),
        ("beautiful", "stunning", "rich", "striking", "elegant", "polished"),
    ),
    (("[spoil spoils spoiled] the mood",), ("[lift lifts lifted] the mood",)),
    *("soundtrack", "camera work~", "costumes+", "special effects+", "editing~", "lighting~"),
)

FILM = Topic(
    things=("film", "movie", "thriller", "comedy", "drama", "sequel", "documentary", "western"),
    aspects=_STORY + _ACTING + _CRAFT,
    wholes=(
        ("disaster", "bore", "mess", "failure", "letdown", "waste of an evening", "disappointment"),
        ("triumph", "delight", "joy", "success", "gem", "treat for an evening", "masterpiece"),
    ),
    reactions=(
        (
            "hated it", "regretted every minute", "came out yawning", "lost interest halfway through",
            "wanted to walk out", "found nothing to praise", "did not enjoy a minute of it",
            "could not wait for it to end", "thought it a waste of time",
        ),
        (
            "loved it", "enjoyed every minute", "came out smiling", "kept watching with interest",
            "wanted to see it again", "found nothing to complain about", "did not regret a minute of it",
            "could not look away", "thought it time well spent",
        ),
    ),
    promises=(
        "the critics predicted", "my friends predicted", "the early reports suggested", "I had expected",
    ),
    others=("my brother", "my sister", "the critics", "my friends", "the man beside me", "half the audience"),
    facts=(
        "It runs for about two hours.", "I saw it on {day} with {company}.", "The story is set in {place}.",
        "It is the director's film number {few}.", "The cinema near {street} showed it in {month}.",
        "It was shot in {place} over {few} months.", "There are {few} songs and one long train journey.",
        "The poster shows a {color} car in the rain.", "It came out {few} years ago.",
        "The screening started at {time}.", "It follows {few} cousins through one winter.",
        "The credits list {few} writers.",
    ),
    tenses=("present", "present", "past"),
)  # fmt: skip

_FOOD = _aspects(
    (
        ("bland", "greasy", "soggy", "tasteless", "overcooked", "lukewarm", "dry"),
        ("delicious", "fresh", "tasty", "tender", "full of flavor", "well seasoned", "fragrant"),
    ),
    (
        ("[taste tastes tasted] of nothing", "[go goes went] back half eaten"),
        ("[taste tastes tasted] like home", "[make makes made] the evening"),
    ),
    *("soup", "fish", "pasta~", "lamb~", "rice~", "noodles+", "vegetables+", "main course", "dumplings+"),
)
_SERVICE = _aspects(
    (
        ("rude", "slow", "careless", "grumpy", "unhelpful", "impatient"),
        ("friendly", "quick", "attentive", "polite", "helpful", "patient"),
    ),
    (
        ("[forget forgets forgot] half the order", "[ignore ignores ignored] us"),
        ("[remember remembers remembered] every wish", "[look looks looked] after us"),
    ),
    *("waiter", "owner", "kitchen staff~", "host", "bartender"),
)
_ROOM = _aspects(
    (
        ("cramped", "noisy", "gloomy", "stuffy", "dirty", "shabby"),
        ("cozy", "charming", "pleasant", "lovely", "relaxing", "inviting"),
    ),
    (("[put puts put] us off",), ("[put puts put] us at ease",)),
    *("dining room", "terrace", "garden", "bar", "upper floor"),
)

RESTAURANT = Topic(
    things=("restaurant", "bistro", "diner", "pizzeria", "noodle bar", "steakhouse", "cafe"),
    aspects=_FOOD + _SERVICE + _ROOM,
    wholes=(
        ("disaster", "letdown", "waste of money", "disappointment", "flop", "failure"),
        ("triumph", "treat", "bargain", "delight", "pleasure", "success"),
    ),
    reactions=(
        (
            "hated the place", "regretted every bite", "left in a bad mood", "swore never to return",
            "complained to the manager", "found nothing to praise", "did not enjoy a single bite",
            "could not finish a plate", "thought it overpriced",
        ),
        (
            "loved the place", "enjoyed every bite", "left in a good mood", "promised to return soon",
            "thanked the manager", "found nothing to complain about", "did not leave a single crumb",
            "could not stop eating", "thought it worth every cent",
        ),
    ),
    promises=("the guidebook suggested", "my colleagues predicted", "the blogs described", "I had expected"),
    others=("my brother", "my sister", "the critics", "my parents", "my partner", "the couple beside us"),
    facts=(
        "We went on {day} with {company}.", "It is a short walk from {street}.",
        "There were {few} of us at the table.", "We sat near the window and ordered {few} dishes.",
        "They open at {time} and close before midnight.", "The place seats about forty people.",
        "I had booked a table for {time}.", "The menu changes every {few} weeks.",
        "They moved here from {street} in {month}.", "We paid by card and took the bus home.",
        "It used to be a bakery.", "My visit was in {month}.",
    ),
    tenses=("past",),
)  # fmt: skip

_PARTS: Pair = (
    ("flimsy", "fragile", "badly made", "unreliable", "awkward", "useless", "shoddy"),
    ("sturdy", "solid", "well made", "reliable", "practical", "handy", "durable"),
)
_PART_VERBS: Pair = (
    ("[fail fails failed] all the time", "[feel feels felt] cheap", "[break breaks broke] easily"),
    ("[work works worked] every time", "[feel feels felt] solid", "[hold holds held] up well"),
)
_DESIGN = _aspects(
    (
        ("confusing", "clumsy", "sloppy", "careless", "ugly"),
        ("clear", "clever", "neat", "thoughtful", "elegant"),
    ),
    (("[make makes made] no sense",), ("[make makes made] perfect sense",)),
    *("instructions+", "design", "layout", "labels+"),
)
_GADGET_REACTIONS: Pair = (
    (
        "hated it", "sent it back", "found it a pain to use", "asked for a refund", "regretted the purchase",
        "saw no reason to keep it", "never enjoyed using it", "gave up on it", "thought it overpriced",
    ),
    (
        "loved it", "bought a second one", "found it a pleasure to use", "recommended it to friends",
        "welcomed the purchase", "saw no reason to complain", "never regretted buying it",
        "came to rely on it", "thought it worth every cent",
    ),
)  # fmt: skip


def _gadget(things: tuple[str, ...], *parts: str) -> Topic:
    return Topic(
        things=things,
        aspects=_aspects(_PARTS, _PART_VERBS, *parts) + _DESIGN,
        wholes=(
            ("disaster", "letdown", "waste of money", "nuisance", "flop", "failure"),
            ("triumph", "treat", "bargain", "blessing", "pleasure", "success"),
        ),
        reactions=_GADGET_REACTIONS,
        promises=("the forums suggested", "my colleagues predicted", "the blogs described", "I had expected"),
        others=("my brother", "my sister", "the other buyers", "my colleagues", "my roommate", "my aunt"),
        facts=(
            "It arrived on {day} in a plain box.", "I ordered it in {month} with {few} other things.",
            "Mine is {color} and weighs about a kilo.", "I have had it for {few} weeks.",
            "It came with {few} spare parts.", "I bought it to replace one I had for {few} years.",
            "Delivery took {few} days.", "I keep it on a shelf in the hall.",
            "There is also a smaller version.", "The shop is near {street}.", "I share it with {company}.",
            "I use mine on {day} mornings.",
        ),
        tenses=("present", "present", "past"),
    )  # fmt: skip


GADGETS = (
    _gadget(("phone", "tablet", "camera"), "screen", "battery", "speakers+", "buttons+", "case"),
    _gadget(("blender", "mixer", "juicer"), "motor", "lid", "blades+", "jug", "controls+"),
    _gadget(("backpack", "suitcase", "travel bag"), "zippers+", "straps+", "handle", "pockets+", "lining"),
    _gadget(("vacuum cleaner", "steam iron"), "motor", "hose", "handle", "switch", "cable"),
    _gadget(("desk lamp", "reading light"), "switch", "base", "arm", "cable", "dimmer"),
)
