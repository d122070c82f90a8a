import pytest
import torch

from catok import CausalAudioTokenizer
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.finetune import finetune_recipe
from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.trainer import CodecTrainer

from ..conftest import TOY_DISCRIMINATORS, changed, same, weights


def test_the_usual_settings(tmp_path):
    config = finetune_recipe(tmp_path, ("encoder",), steps=50)
    (stage,) = config.stages
    assert (stage.steps, stage.freeze, stage.adversarial) == (50, ("encoder",), False)
    assert config.init_from == str(tmp_path) and config.optimizer.warmup_steps == 50
    assert config.gan.discriminators == "small" and config.revival.after == 0
    (tmp_path / "discriminators").mkdir()
    config = finetune_recipe(tmp_path, (), adversarial=True)
    assert config.gan.discriminators == str(tmp_path / "discriminators")
    assert config.stages[0].adversarial


def test_whole_utterances_for_a_head_that_reads(tmp_path):
    assert finetune_recipe(tmp_path, ()).semantic is None
    new = finetune_recipe(tmp_path, (), semantic=True)
    assert new.semantic == SemanticConfig.preset("mini") and new.data.mode == "buckets"
    head = SemanticHead(SemanticConfig.preset("mini", tasks=("asr",)), 4)
    head.save_pretrained(tmp_path / "semantic")
    published = finetune_recipe(tmp_path, (), semantic=True)
    assert published.semantic == head.config
    (tmp_path / "semantic" / "semantic.json").write_text("{}")
    with pytest.raises(ValueError, match="has format None"):
        finetune_recipe(tmp_path, (), semantic=True)


def test_a_frozen_encoder_cannot_learn_what_is_said(tmp_path):
    for freeze in (("encoder", "quantizer"), ("encoder",)):
        with pytest.raises(ValueError, match="the encoder is frozen"):
            finetune_recipe(tmp_path, freeze, semantic=True)
    assert finetune_recipe(tmp_path, ("decoder",), semantic=True).semantic is not None


def test_parts_that_cannot_be_frozen(tmp_path):
    with pytest.raises(ValueError, match="nothing would learn"):
        finetune_recipe(tmp_path, ("encoder", "quantizer", "decoder"))
    with pytest.raises(ValueError, match="cannot freeze"):
        finetune_recipe(tmp_path, ("head",))


@pytest.mark.parametrize("adversarial", [False, True])
def test_only_the_decoder_moves(tmp_path, corpora, small_model, adversarial):
    from dataclasses import replace

    folder = tmp_path / "start"
    small_model.save_pretrained(folder)
    torch.manual_seed(5)
    discriminators = Discriminators(TOY_DISCRIMINATORS)
    discriminators.save_pretrained(folder / "discriminators")
    config = finetune_recipe(folder, ("encoder", "quantizer"), adversarial=adversarial, steps=3)
    config = replace(config, data=replace(config.data, crop_seconds=0.32, batch_size=2), ema=0.9)
    trainer = CodecTrainer(config, corpora, [], tmp_path / "run")
    if adversarial:
        assert same(trainer.learner.discriminators.state_dict(), discriminators.state_dict())
    before = weights(small_model)
    trainer.run()
    tuned = CausalAudioTokenizer.from_pretrained(tmp_path / "run" / "model")
    assert changed(tuned, before) == {name for name in before if name.startswith("decoder.")}
    audio = 0.1 * torch.randn(2, 1, 30_000, generator=torch.Generator().manual_seed(1))
    assert torch.equal(tuned.encode(audio).codes, small_model.encode(audio).codes)
    assert tuned.weight_hash == small_model.weight_hash
    kept = tmp_path / "run" / "model" / "discriminators"
    assert kept.is_dir() == adversarial
    if adversarial:
        moved = Discriminators.from_pretrained(kept).state_dict()
        assert not same(moved, discriminators.state_dict())
