"""The models that learn the made-up language, and their recipes, for two cores and a minute.

A letter is one frame long, so the language model's `text_rate` is 1. With it, and heads that begin
as the codec's geometry, synthesis follows its text after 400 steps; without, after 900 or never.

`initializer_range` is one over the root of the width; in one comparison recognition learned faster
so than with the default of 0.02.
"""

from catok.lm.config import LanguageConfig
from tests.lm.conftest import small_config


def _stage(inside: int) -> dict:
    return {
        "input_dim": inside,
        "output_dim": 32,
        "width": 64,
        "layers": 1,
        "heads": 2,
        "feedforward": 128,
        "window": 1.28,
        "layer_scale": 0.01,
    }


# 8 kHz, 12.5 frames/s, four codebooks of 64: 300 bits/s
TOKENIZER = {
    "sample_rate": 8000,
    "encoder": [{"size": 80}, _stage(80), {"size": 8}, _stage(256)],
    "quantizer": {
        "input_dim": 32,
        "inner_dim": 32,
        "num_quantizers": 4,
        "codebook_size": 64,
        "codebook_dim": 8,
        "kind": "rvq",
    },
}

# half a million parameters; bytes for text, and an id for each fixed phrase of a request
LANGUAGE_MODEL = small_config(
    audio_vocab_size=64,
    audio_pad_code=64,
    sampling_rate=8000,
    local_num_layers=1,
    local_hidden_size=64,
    local_ffn_hidden_size=128,
    additional_mlp_ffn_hidden_size=64,
    initializer_range=0.1,
    text_rate=1.0,
    language_config=LanguageConfig(
        vocab_size=278,
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=24,
        rope_theta=100.0,
        max_position_embeddings=1024,
    ),
).to_dict()

TOKENIZER_RECIPE = """
tokenizer = "toy"
seed = {seed}
ema = 0.99
[[stages]]
steps = 200
[data]
crop_seconds = 0.96
batch_size = 8
[optimizer]
learning_rate = 2e-3
warmup_steps = 20
final_rate = 0.05
codebook_rate = 8.0
quantizer_rate = 0.1
[weights]
waveform = 10.0
commitment = 1.0
[mel]
windows = [64, 256, 1024]
mel_bins = [10, 30, 80]
"""

_LANGUAGE = """
model = "{model}"
tokenizer = "{tokenizer}"
seed = {seed}
codec_embeddings = "principal"
ema = 0.98
[optimizer]
learning_rate = {rate}
warmup_steps = 30
final_rate = 0.05
"""

ASR_RECIPE = f"""
steps = 200
tasks = {{{{ asr = 1.0 }}}}
{_LANGUAGE.replace("{rate}", "3e-3")}
[data]
rows_per_batch = 600
[sequence_dropout]
probability = 0.5
[masking]
share = 0.1
longest = 2
[ctc]
weight = 1.0
per_frame = 2
"""

TTS_RECIPE = f"""
steps = 400
tasks = {{{{ tts = 1.0 }}}}
channel_weights = [1, 3, 2, 1, 1]
{_LANGUAGE.replace("{rate}", "2e-3")}
[data]
rows_per_batch = 500
clone = 0.3
[ctc]
weight = 0.5
per_frame = 2
"""
