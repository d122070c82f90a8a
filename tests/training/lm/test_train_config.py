import pytest

from catok.training.lm.train_config import LMTrainConfig


def test_survives_a_round_trip():
    data = {"steps": 3, "tasks": {"asr": 1.0}, "ctc": {"weight": 0.5}, "data": {"clone": 0.1}}
    config = LMTrainConfig.from_dict(data)
    assert config.ctc.weight == 0.5 and config.task_names == ("asr",)
    assert LMTrainConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"tasks": {}}, "tasks gives"),
        ({"tasks": {"sing": 1.0}}, "tasks gives"),
        ({"tasks": {"tts": 0.0}}, "tasks gives"),
        ({"ema": 1.0}, "ema is a decay"),
        ({"data": {"clone": 1.5}}, "share from 0 to 1"),
        ({"data": {"min_seconds": 40.0}}, "min_seconds"),
        ({"data": {"empty_text": True}}, "teaches recognition"),
        ({"masking": {"share": 1.0}}, "masking needs"),
        ({"optimizer": {"learning_rate": 0.0}}, "must be positive"),
        ({"optimizer": {"min_lr_ratio": 2.0}}, "min_lr_ratio"),
        ({"unknown": 1}, "unknown keys in recipe"),
    ],
)
def test_bad_settings_are_told(change, said):
    with pytest.raises(ValueError, match=said):
        LMTrainConfig.from_dict({"steps": 3} | change)
