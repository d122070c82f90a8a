import pytest

from catok.training.codec.train_config import load_recipe, override_recipe
from catok.training.engine.recipe import read_recipe

BASE = """
architecture = "nano"
ema = 0.99
[[stages]]
steps = 5
[[stages]]
steps = 6
adversarial = true
[data]
batch_size = 3
crop_seconds = 1.5
domain_weights = { speech = 1.0 }
"""


@pytest.fixture
def write(tmp_path):
    def make(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    make("base.toml", BASE)
    return make


def test_a_recipe_alone(write):
    config = load_recipe(write("base.toml", BASE))
    assert [(s.steps, s.adversarial) for s in config.stages] == [(5, False), (6, True)]
    assert (config.architecture, config.ema, config.data.batch_size) == ("nano", 0.99, 3)


def test_a_difference_merges_tables_and_replaces_the_rest(write):
    child = write(
        "study/child.toml",
        'base = "../base.toml"\nema = 0.5\n[[stages]]\nsteps = 7\n[data]\nbatch_size = 4\n'
        "domain_weights = { music = 2.0 }",
    )
    config = load_recipe(child)
    assert [s.steps for s in config.stages] == [7] and config.architecture == "nano"
    assert (config.data.batch_size, config.data.crop_seconds, config.ema) == (4, 1.5, 0.5)
    assert config.data.domain_weights == {"speech": 1.0, "music": 2.0}
    grandchild = write("study/grandchild.toml", 'base = "child.toml"\n[data]\nbatch_size = 8')
    config = load_recipe(grandchild)
    assert config.data.batch_size == 8 and config.stages[0].steps == 7


def test_an_override_replaces_a_table_or_one_key_of_it(write):
    path = write("base.toml", BASE)
    config = load_recipe(path, ["data.domain_weights={music=2.0}"])
    assert config.data.domain_weights == {"music": 2.0} and config.data.batch_size == 3
    config = load_recipe(path, ["data.domain_weights.music=2.0"])
    assert config.data.domain_weights == {"speech": 1.0, "music": 2.0}
    config = load_recipe(path, ['data.domain_weights."a.b"=3', "data.domain_weights.c = 4"])
    assert config.data.domain_weights == {"speech": 1.0, "a.b": 3.0, "c": 4.0}
    config = load_recipe(path, ["data={batch_size=5}"])
    assert config.data.batch_size == 5 and config.data.crop_seconds == 2.56
    assert override_recipe(config, ["data.domain_weights={}"]).data.domain_weights == {}
    with pytest.raises(ValueError, match="cannot read the override"):
        load_recipe(path, ["ema=1\nseed=2\n[x"])


def test_overrides_have_the_last_word(write):
    path = write("child.toml", 'base = "base.toml"\n[data]\nbatch_size = 4')
    config = load_recipe(
        path,
        ["data.batch_size=9", "architecture=tiny", "autocast=true", "stages=[{steps=2}]",
         "semantic={hidden_size=32, layers=1, heads=2, key_value_heads=1, intermediate_size=8}",
         "data.gain_db = [-3, 0]", 'gan.discriminators="small"'],
    )  # fmt: skip
    assert config.data.batch_size == 9 and config.data.crop_seconds == 1.5
    assert config.architecture == "tiny" and config.autocast and config.steps == 2
    assert config.semantic.hidden_size == 32 and config.data.gain_db == (-3.0, 0.0)
    assert config.gan.discriminators == "small"
    again = override_recipe(config, ["data.crop_seconds=2", "semantic.layers=3"])
    assert (again.data.crop_seconds, again.semantic.layers) == (2.0, 3)
    assert again.semantic.hidden_size == 32 and again.data.batch_size == 9
    assert override_recipe(config, []) == config


@pytest.mark.parametrize(
    "text, message",
    [
        ("steps =", "cannot read the recipe"),
        ("stages = []", "at least one"),
        ("ema = 0.5", r"missing keys in recipe: \['stages'\]"),
        ("stesp = 5\n[[stages]]\nsteps = 1", "unknown keys in recipe"),
        ("[[stages]]\nsteps = 1\nlr = 2", "unknown keys in recipe.stages"),
        ('[[stages]]\nsteps = "many"', "recipe.stages.*steps must be int"),
        ("base = 3\n[[stages]]\nsteps = 1", "base is the path"),
        ('base = "none.toml"', "cannot read the recipe .*none.toml"),
        ('base = "bad.toml"', "based on itself"),
        ('base = "loop.toml"', "based on itself"),
        ('parallel = "tp"\n[[stages]]\nsteps = 1', "must be one of"),
    ],
)
def test_recipes_that_cannot_be(write, text, message):
    write("loop.toml", 'base = "bad.toml"')
    with pytest.raises(ValueError, match=message):
        load_recipe(write("bad.toml", text))


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(ValueError, match="cannot read the recipe"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot read the recipe"):
        load_recipe(tmp_path / "b.toml")


@pytest.mark.parametrize(
    "override, message",
    [
        ("data.batch_size", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("a b=3", "cannot read the override"),
        ("data.batch_size=many", "must be int"),
        ("data.batchsize=3", "unknown keys in recipe.data"),
        ("ema=2", "decay from 0"),
    ],
)
def test_overrides_that_cannot_be(write, override, message):
    with pytest.raises(ValueError, match=message):
        load_recipe(write("base.toml", BASE), [override])


def test_sizes_lie_beside_the_recipe(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sizes.json").write_text("{}")
    (tmp_path / "mine" / "recipe.toml").write_text(
        'architecture = "sizes.json"\ntokenizer = "x.json"\n'
    )
    (tmp_path / "other.toml").write_text('base = "mine/recipe.toml"\nsteps = 1\n')
    monkeypatch.chdir(tmp_path)
    expected = {"architecture": str(tmp_path / "mine" / "sizes.json"), "tokenizer": "x.json"}
    assert read_recipe("mine/recipe.toml") == expected
    assert read_recipe("other.toml") == expected | {"steps": 1}
    assert read_recipe("other.toml", ["architecture=tiny"])["architecture"] == "tiny"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("tokenizer", "architecture = .tiny. is a new codec.*init_from = .tiny. a trained one"),
        ("adversary.every", "it is gan"),
        ("optimizer.final_rate", "it is optimizer.min_lr_ratio"),
        ("optimizer.codebook_rate", "optimizer.groups, such as.*codebook.*lr_scale"),
    ],
)
def test_keys_of_older_recipes_say_what_they_are_now(write, key, said):
    path = write("new.toml", 'base = "base.toml"\n')
    with pytest.raises(ValueError, match=f"no key {key.split('.every')[0]} any more.*{said}"):
        load_recipe(path, [f"{key}=1.0"])
