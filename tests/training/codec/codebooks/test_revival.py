import pytest
import torch

from catok.modules.residual_quantizer import ResidualQuantizer, ResidualQuantizerConfig
from catok.training.codec.codebooks.revival import CodebookUsage, RevivalConfig, revive

CONFIG = ResidualQuantizerConfig(
    input_dim=12, inner_dim=12, num_quantizers=3, codebook_size=32, codebook_dim=4
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ResidualQuantizer(CONFIG)


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def inputs(result):
    """Every codebook's input, `[frames, K, d]`."""
    return result.projected.permute(0, 3, 1, 2).flatten(0, 1)


def test_usage_counts_idle_steps(model):
    usage = CodebookUsage.empty(model)
    used = torch.zeros(3, 32)
    used[:, 0] = 5
    usage.update(used)
    usage.update(used.roll(1, dims=1))
    assert usage.idle[0, :3].tolist() == [1, 0, 2]
    assert usage.counts[0, :3].tolist() == pytest.approx([0.99 * 0.05, 0.05, 0])
    usage.update(torch.zeros(3, 32))
    assert usage.idle[0, :3].tolist() == [2, 1, 3]


def test_perplexity_is_the_effective_number_of_codes(model):
    usage = CodebookUsage.empty(model)
    used = torch.zeros(3, 32)
    used[0], used[1, :4], used[2, 7] = 1, 1, 9
    usage.update(used)
    assert usage.perplexity().tolist() == pytest.approx([32, 4, 1], rel=1e-4)
    assert usage.rounded_perplexity() == [32.0, 4.0, 1.0]


def test_dead_codes_move_onto_vectors_of_the_batch_and_living_ones_stay(model):
    usage = CodebookUsage.empty(model)
    result = model(torch.randn(4, 12, 10))
    usage.idle[1, 5:9] = 100
    before = [book.codebook.weight.clone() for book in model.codebooks]
    config = RevivalConfig(after=100, share=1.0)
    assert revive(model, lambda: inputs(result), usage, config, draw()) == 4
    after = [book.codebook.weight for book in model.codebooks]
    assert torch.equal(after[0], before[0]) and torch.equal(after[2], before[2])
    assert (after[1] != before[1]).any(1).nonzero().flatten().tolist() == [5, 6, 7, 8]
    vectors = inputs(result)[:, 1]
    assert all((vectors == row).all(1).any() for row in after[1][5:9])
    assert len(after[1][5:9].unique(dim=0)) == 4
    assert usage.idle[1].max() == 0


def test_the_longest_dead_come_first_and_only_a_share_of_the_batch_becomes_codes(model):
    usage = CodebookUsage.empty(model)
    usage.idle[:] = torch.arange(100, 132)
    result = model(torch.randn(1, 12, 20))
    config = RevivalConfig(after=100, share=0.25)
    assert revive(model, lambda: inputs(result), usage, config, draw()) == 3 * 5
    assert (usage.idle[0] == 0).nonzero().flatten().tolist() == [27, 28, 29, 30, 31]


@pytest.mark.parametrize("config, idle", [(RevivalConfig(after=0), 500), (RevivalConfig(), 99)])
def test_vectors_are_only_asked_for_if_something_is_dead(model, config, idle):
    usage = CodebookUsage.empty(model)
    usage.idle[:] = idle

    def unwanted():
        pytest.fail("nothing is dead")

    assert revive(model, unwanted, usage, config, draw()) == 0


def test_the_generator_decides_where_codes_go(model):
    result = model(torch.randn(4, 12, 10))
    places = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        fresh = ResidualQuantizer(CONFIG)
        usage = CodebookUsage.empty(fresh)
        usage.idle[0, 3] = 100
        revive(fresh, lambda: inputs(result), usage, RevivalConfig(), draw(seed))
        places.append(fresh.codebooks[0].codebook.weight[3].tolist())
    assert places[0] == places[1] != places[2]
