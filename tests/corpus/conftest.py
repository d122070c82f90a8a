"""Processes that tests of corpora kill, and recordings in a folder."""

from multiprocessing import forkserver, get_context

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session", autouse=True)
def processes():
    """Processes forked from one that has imported everything, so that each begins at once."""
    context = get_context("forkserver")
    modules = ("catok.corpus.job", "pyarrow.parquet", "soundfile", "torch._dynamo")
    context.set_forkserver_preload(list(modules))
    forkserver.ensure_running()
    return context


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    """Five recordings at 16 kHz, with texts."""
    folder = tmp_path_factory.mktemp("audio")
    draw = np.random.default_rng(0)
    for number in range(5):
        samples = 0.1 * draw.standard_normal(4000 + 3000 * number)
        soundfile.write(folder / f"u{number}.wav", samples, 16_000)
        (folder / f"u{number}.txt").write_text(f"text {number}")
    return folder
