"""Text as the words, or characters, whose errors are counted."""

from collections.abc import Callable

from catok.evaluation.metrics.normalise import characters, normalise, words
from catok.evaluation.protocols.languages import by_character
from catok.evaluation.protocols.seed_tts_eval import seed_units

Splitter = Callable[[str, str], list[str]]
"""Text and language code -> words, or characters where `by_character` says so."""


def standard_units(text: str, language: str) -> list[str]:
    """After `normalise`: numbers and contractions of English are written one way, for one thing."""
    plain = normalise(text, language)
    return characters(plain) if by_character(language) else words(plain)


SPLITTERS: dict[str, Splitter] = {"standard": standard_units, "seed-tts-eval": seed_units}
"""By name: for recognisers, and what Seed-TTS-Eval does."""
