import torch

from catok.modules.quantizer import QuantizerConfig, ResidualQuantizer
from catok.training.dropout import draw_prefixes
from catok.training.revival import CodebookUsage, RevivalConfig, initialise_codes, revive

CONFIG = QuantizerConfig(
    input_dim=12, inner_dim=12, num_quantizers=3, codebook_size=32, codebook_dim=4
)


def quantizer():
    torch.manual_seed(0)
    return ResidualQuantizer(CONFIG)


def test_usage_counts_idle_steps_and_perplexity():
    usage = CodebookUsage.empty(quantizer())
    usage.update(torch.zeros(2, 3, 5, dtype=torch.int64))
    usage.update(torch.ones(2, 3, 5, dtype=torch.int64))
    assert usage.idle[0, :3].tolist() == [1, 0, 2]
    assert 1.9 < float(usage.perplexity()[0]) <= 2.0
    even = torch.arange(32).view(1, 1, 32).expand(1, 3, 32)
    fresh = CodebookUsage.empty(quantizer())
    fresh.update(even)
    assert torch.allclose(fresh.perplexity(), torch.full((3,), 32.0))


def test_dead_codes_move_onto_vectors_of_the_batch_and_living_ones_stay():
    model = quantizer()
    usage = CodebookUsage.empty(model)
    result = model(torch.randn(4, 12, 10))
    usage.idle[1, 5:9] = 100
    before = model.codebooks[1].codebook.weight.clone()
    generator = torch.Generator().manual_seed(0)
    moved = revive(model, result, usage, RevivalConfig(after=100, share=1.0), generator)
    after = model.codebooks[1].codebook.weight
    assert moved == 4
    assert (after != before).any(1).nonzero().flatten().tolist() == [5, 6, 7, 8]
    vectors = result.projected[:, 1].transpose(1, 2).flatten(0, 1)
    assert all((vectors == row).all(1).any() for row in after[5:9])
    assert usage.idle[1].max() == 0


def test_only_a_share_of_the_batch_becomes_codes_and_zero_turns_it_off():
    model = quantizer()
    usage = CodebookUsage.empty(model)
    usage.idle[:] = 100
    result = model(torch.randn(1, 12, 20))
    generator = torch.Generator().manual_seed(0)
    assert revive(model, result, usage, RevivalConfig(after=0), generator) == 0
    assert revive(model, result, usage, RevivalConfig(share=0.25), generator) == 3 * 5


def test_first_codes_come_from_the_data_and_shrink_the_residual():
    model = quantizer()
    latents = 0.01 * torch.randn(8, 12, 40)
    before = model(latents)
    initialise_codes(model, latents, torch.Generator().manual_seed(0))
    assert abs(float(model.input_proj(latents).detach().std()) - 1) < 1e-4
    residual = model.input_proj(latents)
    energy = [float(residual.detach().pow(2).mean())]
    for book in model.codebooks:
        residual = residual - book(residual).contribution
        energy.append(float(residual.detach().pow(2).mean()))
    assert energy[0] > energy[1] > energy[2] > energy[3]
    used = [row.unique().numel() for row in model(latents).codes.unbind(1)]
    assert min(used) > 24 and before.codes.shape == (8, 3, 40)


def test_each_codebook_reads_and_writes_its_own_share_of_the_space():
    model = quantizer()
    x = torch.randn(1, 12, 5)
    for index, book in enumerate(model.codebooks):
        x = x - book.out_proj(book.in_proj(x))
        assert float(x.detach().abs().max()) > 1e-3 or index == 2
    assert float(x.detach().abs().max()) < 1e-5


def test_prefixes_are_uniform_from_one_to_all():
    drawn = draw_prefixes(4000, 8, 1.0, torch.Generator().manual_seed(0))
    counts = drawn.bincount(minlength=9)[1:]
    assert drawn.min() == 1 and drawn.max() == 8
    assert counts.min() > 400
    assert draw_prefixes(50, 8, 0.0, torch.Generator()).eq(8).all()
