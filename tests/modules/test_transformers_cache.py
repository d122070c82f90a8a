"""transformers renames the cache's argument; both spellings of `forward` get it."""

from catok.modules.transformers_cache import cache_argument


class Before:
    def forward(self, inputs_embeds, past_key_values=None, use_cache=None, **kwargs): ...


class After:
    def forward(self, inputs_embeds, cache=None, use_cache=None, **kwargs): ...


def test_a_decoder_gets_its_cache_under_the_name_that_it_knows():
    cache = object()
    assert cache_argument(Before(), cache) == {"past_key_values": cache, "use_cache": True}
    assert cache_argument(After(), cache) == {"cache": cache, "use_cache": True}
    assert cache_argument(After(), None) == {"cache": None, "use_cache": False}
