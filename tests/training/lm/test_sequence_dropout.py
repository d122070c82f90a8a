from collections import Counter

import pytest
import torch

from catok.training.lm.sequence_dropout import SequenceDropoutConfig, draw_prefix


def counts(config, n_vq, draws=4000):
    generator = torch.Generator().manual_seed(0)
    return Counter(draw_prefix(config, n_vq, generator) for _ in range(draws))


def test_every_prefix_is_as_likely_as_any_other():
    found = counts(SequenceDropoutConfig(), 8)
    assert set(found) == set(range(1, 9))
    assert all(count / 4000 == pytest.approx(1 / 8, abs=0.02) for count in found.values())


def test_the_literal_law_never_keeps_all():
    assert set(counts(SequenceDropoutConfig(include_all=False), 8)) == set(range(1, 8))


def test_without_dropout_all_codebooks_stay():
    found = counts(SequenceDropoutConfig(probability=0.25, include_all=False), 4)
    assert found[4] / 4000 == pytest.approx(0.75, abs=0.03)
    assert set(counts(SequenceDropoutConfig(probability=0.0), 4)) == {4}


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        SequenceDropoutConfig(probability=1.5)
    with pytest.raises(ValueError, match="include_all"):
        draw_prefix(SequenceDropoutConfig(include_all=False), 1)
