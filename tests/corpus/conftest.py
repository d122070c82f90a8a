"""Processes that tests of corpora kill."""

from multiprocessing import forkserver, get_context

import pytest


@pytest.fixture(scope="session", autouse=True)
def processes():
    """Processes forked from one that has imported everything, so that each begins at once."""
    context = get_context("forkserver")
    modules = ("catok.corpus.job", "pyarrow.parquet", "soundfile", "torch._dynamo")
    context.set_forkserver_preload(list(modules))
    forkserver.ensure_running()
    return context
