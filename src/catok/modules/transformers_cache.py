"""The key/value cache of transformers' decoders, under whichever name their `forward` has for it.

From 5.24 on the argument is `cache`; before, it was `past_key_values`, which 5.40 removes.
"""

import inspect
from typing import Any


def cache_argument(decoder: Any, cache: Any) -> dict[str, Any]:
    """Keyword arguments that give a decoder its `cache`, filled in place; None: keep none."""
    known = inspect.signature(type(decoder).forward).parameters
    name = "cache" if "cache" in known else "past_key_values"
    return {name: cache, "use_cache": cache is not None}
