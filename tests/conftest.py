"""Small models for tests: the full structure, in milliseconds; settings that all tests share."""

import os
import random
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import pytest
import torch
from hypothesis import settings

from catok import CausalAudioTokenizer, TokenizerConfig


def small_settings(channels: int = 1, **changes) -> dict:
    """A config dictionary: 24 kHz, 12.5 frames/s, patches 240, 2, 2, 2, eight codebooks of 64."""

    def stage(inside: int, outside: int) -> dict:
        return {
            "input_dim": inside,
            "output_dim": outside,
            "width": 32,
            "layers": 1,
            "heads": 2,
            "feedforward": 64,
            "window": 1.2,
            "layer_scale": 0.5,
        }

    settings = {
        "sample_rate": 24_000 // channels,
        "channels": channels,
        "always_project": channels > 1,
        "encoder": [
            {"size": 240},
            stage(240, 16),
            {"size": 2},
            stage(32, 16),
            {"size": 2},
            stage(32, 16),
            {"size": 2},
            stage(32, 16),
        ],
        "quantizer": {
            "input_dim": 16,
            "inner_dim": 16,
            "num_quantizers": 8,
            "codebook_size": 64,
            "codebook_dim": 4,
        },
    }
    return settings | changes


def build(settings: dict, seed: int = 0) -> CausalAudioTokenizer:
    """A model with random weights, made loud enough that every term of its numerics matters."""
    torch.manual_seed(seed)
    model = CausalAudioTokenizer(TokenizerConfig.from_dict(settings), model_id="small").eval()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            if parameter.dim() == 2:
                parameter.mul_(2)
    return model


@pytest.fixture(autouse=True, scope="session")
def heeded_signals() -> None:
    """Signals that whoever started the tests ignores (nohup, a shell's background) are heeded."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Random inputs are the same in every run and in every order of the tests."""
    torch.manual_seed(0)
    numpy.random.seed(0)
    random.seed(0)


@pytest.fixture
def small_config() -> TokenizerConfig:
    """The configuration of `small_model`."""
    return TokenizerConfig.from_dict(small_settings())


@pytest.fixture(scope="session")
def small_model() -> CausalAudioTokenizer:
    """Mono, random weights; do not change it in a test."""
    return build(small_settings())


@pytest.fixture(scope="session")
def stereo_model() -> CausalAudioTokenizer:
    """Two interleaved channels, projections everywhere; do not change it in a test."""
    return build(small_settings(channels=2))


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """No file may grow beyond `limit` bytes: as a full disk, it fails half way through.

    For the shortest time: what pytest itself prints may go to a file that is longer.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def pytest_configure(config: pytest.Config) -> None:
    """No property is timed; in the quick part those that do not say how many examples have few."""
    quick = {"max_examples": 20} if config.option.markexpr == "not slow" else {}
    settings.register_profile("catok", deadline=None, **quick)
    settings.load_profile("catok")


EXPECTED_SKIPS = (
    "GPU",  # no accelerator here
    "ray[serve]",  # it brings an event loop and 25 packages that nothing else here wants
    "piper",  # synthetic voices of a research corpus, hundreds of megabytes
    "npm packages",  # a machine without npm
    "make clients",  # the clients of voice agents, where their packages cannot be had
    "pytorch_optimizer",  # optimizers that one search compares
)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under CI, where all programs and extras are installed, an unexpected skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    reasons = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    unexpected = [text for text in reasons if not any(word in text for word in EXPECTED_SKIPS)]
    for text in unexpected:
        reporter.write_line(f"skipped unexpectedly: {text}", red=True)
    if unexpected:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
