"""The semantic head: a language model that reads text off the quantized latents, in training only.

Paper section 4. `head.SemanticHead` is the module, `config.SemanticConfig` what it is built from.
"""
