"""A small codec, recordings that are only codes, and a model that trains in milliseconds."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from catok import CausalAudioTokenizer
from catok.data.recordings import read_recordings
from catok.training.lm.corpus import Corpus
from catok.training.lm.networks import LMNetworks, build_lm_networks
from catok.training.lm.train_config import CTCConfig, LMDataConfig, LMOptimizerConfig, LMTrainConfig
from tests.conftest import build, small_settings
from tests.lm.conftest import small_config

TEXTS = ["one", "two", "three", "four words of text", "five", "the sixth sentence", "seven"]

CONFIG = LMTrainConfig(
    steps=8,
    architecture="set by the fixture",
    tokenizer="set by the fixture",
    tasks={"tts": 2.0, "asr": 1.0},
    data=LMDataConfig(rows_per_batch=400, clone=0.5, continuation=0.5),
    optimizer=LMOptimizerConfig(learning_rate=3e-3, warmup_steps=2),
    ctc=CTCConfig(weight=0.5),
    ema=0.9,
    log_every=2,
    validate_every=4,
    validation_batches=3,
)


def write_codes(folder: Path, tok: CausalAudioTokenizer, texts=TEXTS, seed=0) -> Path:
    """Random codes for each text, two voices in turn; returns the manifest."""
    draw = torch.Generator().manual_seed(seed)
    lines = []
    for index, text in enumerate(texts):
        frames = int(torch.randint(5, 20, (), generator=draw))
        codes = torch.randint(tok.codebook_size, (1, 8, frames), generator=draw)
        samples = torch.tensor([frames * tok.frame_size - 7])
        tok.encoded(codes, samples).save(folder / f"{index}.cat")
        facts = {"text": text, "language": "en", "speaker": f"voice {index % 2}"}
        lines.append(json.dumps({"codes": f"{index}.cat", **facts}))
    (folder / "codes.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "codes.jsonl"


@pytest.fixture(scope="session")
def codec() -> CausalAudioTokenizer:
    """Mono, 8 codebooks of 64, random weights; do not change it in a test."""
    return build(small_settings())


@pytest.fixture(scope="session")
def places(codec, tmp_path_factory) -> Path:
    """A folder with codec/, model.json and codes.jsonl."""
    folder = tmp_path_factory.mktemp("lm")
    codec.save_pretrained(folder / "codec")
    config = small_config(audio_vocab_size=64, audio_pad_code=64, initializer_range=0.05)
    (folder / "model.json").write_text(json.dumps(config.to_dict()))
    write_codes(folder, codec)
    return folder


@pytest.fixture(scope="session")
def config(places) -> LMTrainConfig:
    """`CONFIG` with its places."""
    model, codec = str(places / "model.json"), str(places / "codec")
    return replace(CONFIG, architecture=model, tokenizer=codec)


def new_networks(config: LMTrainConfig) -> LMNetworks:
    """The networks, always the same."""
    torch.manual_seed(config.seed)
    return build_lm_networks(config)


@pytest.fixture
def networks(config) -> LMNetworks:
    """New networks."""
    return new_networks(config)


def open_codes(places: Path, networks: LMNetworks, data: LMDataConfig | None = None) -> Corpus:
    """The corpus of codes.jsonl."""
    recordings = read_recordings(places / "codes.jsonl")
    return Corpus(recordings, networks.text, networks.space, data or LMDataConfig())


@pytest.fixture
def corpus(places, networks) -> Corpus:
    """All seven utterances."""
    return open_codes(places, networks)
