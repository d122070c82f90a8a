"""Compiled steps give what the others give. The compiler's front end is run, not its code."""

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from tests.conftest import build, small_settings

pytestmark = pytest.mark.slow


def test_streams_of_a_compiled_model():
    """Past the window, with a row that waits. Every stage has three graphs: for the first step, for
    those with the memory of an earlier one, and for those of them that leave a row out.
    """
    torch.manual_seed(0)
    plain, compiled = build(small_settings()), build(small_settings())
    counter = CompileCounter()
    compiled.compile(backend=counter, fullgraph=True)
    audio = torch.randn(2, 1, 18 * plain.frame_size) * 0.1
    states = plain.encoder_state(2), compiled.encoder_state(2)
    memory = [stage.keys[0].shape[2] for stage in states[1].stages]
    for step, chunk in enumerate(audio.split(plain.frame_size, dim=2)):
        active = torch.tensor([True, step % 3 > 0]) if step % 3 == 0 else None
        expected, first = plain.encode_step(chunk, states[0], active)
        found, second = compiled.encode_step(chunk, states[1], active)
        states = first, second
        assert torch.equal(found, expected)
        assert [stage.keys[0].shape[2] for stage in second.stages] == memory
    assert counter.frame_count == 3 * len(memory)
    codes = plain.encode(audio[:1]).codes
    assert torch.equal(compiled.encode(audio[:1]).codes, codes)
