"""Two processes are one: the same losses, weights and files, under DDP and FSDP2."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from catok import CausalAudioTokenizer, TokenizerConfig, save_audio
from catok.training.codec import trainer as loop
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.codec.semantic.head import SemanticHead
from catok.training.engine import distributed
from catok.training.engine.distributed import Group
from tests.conftest import build, small_settings
from tests.training.engine import distributed_workers as workers
from tests.training.engine.distributed_workers import CONFIG, FROZEN, JUDGED, PLAIN, SHORT, STAGES
from tests.training.engine.process_pair import Pair

pytestmark = pytest.mark.slow

CLOCKS = ("audio_per_second", "waiting_share")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def made_up_rows(monkeypatch):
    """What `workers.prepare` changes is changed back after every test."""
    monkeypatch.setattr(TokenizerConfig, "preset", TokenizerConfig.preset)
    monkeypatch.setattr(loop, "open_source", loop.open_source)
    workers.prepare()


@pytest.fixture(scope="module")
def pair():
    """Calls functions in two processes."""
    pair = Pair()
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def runs(tmp_path_factory, pair):
    """Runs by name and configuration, each done once."""
    folder, done = tmp_path_factory.mktemp("runs"), {}

    def run(name, config, alone=False):
        if name not in done:
            at = folder / name
            one = [workers.train(Group(), at, config)] if alone else None
            done[name] = at, one or pair(workers.train, at, config)
        return done[name]

    return run


def assert_close(ours, expected):
    """Two logs and all weights of two runs, but for rounding."""
    for mine, other in zip(ours["lines"], expected["lines"], strict=True):
        assert mine.keys() == other.keys()
        for name in mine.keys() - set(CLOCKS):
            rounding = 1e-3 if name.endswith("grad_norm") else 1e-4  # a norm adds up a million
            assert mine[name] == pytest.approx(other[name], rel=rounding, abs=1e-6), (name, mine)
    for kind in ("weights", "discriminators", "average"):
        assert ours[kind].keys() == expected[kind].keys()
        for name, weight in ours[kind].items():
            torch.testing.assert_close(weight, expected[kind][name], rtol=1e-3, atol=3e-4)


def assert_identical(ours, expected):
    for kind in ("weights", "discriminators", "average"):
        assert ours[kind].keys() == expected[kind].keys()
        assert all(torch.equal(w, expected[kind][n]) for n, w in ours[kind].items()), kind
    assert torch.equal(ours["idle"], expected["idle"])
    assert torch.equal(ours["counts"], expected["counts"])


def assert_continues(resumed, whole, step):
    """The log from `step` on, exactly."""
    plan, *lines = resumed["lines"]
    rest = [line for line in whole["lines"] if line["step"] > step]
    assert plan["step"] == step and "parameters" in plan
    for mine, other in zip(lines, rest, strict=True):
        assert {k: mine[k] for k in mine.keys() - set(CLOCKS)} == {
            k: other[k] for k in other.keys() - set(CLOCKS)
        }


def test_rows_are_gathered_in_the_order_of_ranks(pair):
    for rows in pair(workers.gather_unequal):
        assert rows.tolist() == [[0, 0], [1, 1], [1, 1]]


def test_two_processes_train_as_one(runs):
    _, (one,) = runs("one", CONFIG, alone=True)
    folder, (first, second) = runs("ddp", CONFIG)
    assert len([line for line in one["lines"] if "total" in line]) == 20
    assert sum(line.get("revived", 0) for line in one["lines"]) > 500
    assert one["lines"][-2].keys() >= {"semantic", "mel", "waveform", "revived", "grad_norm"}
    assert any("discriminator_grad_norm" in line for line in one["lines"])
    assert any("valid_semantic" in line for line in one["lines"])
    assert_close(first, one)
    assert torch.equal(first["idle"], one["idle"])
    assert_identical(first, second)
    # only the first process reports, and what it reports is what is in the log
    assert second["lines"] == []
    logged = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert logged == first["lines"]


def test_copies_resume_to_the_bit(runs, pair, tmp_path):
    _, (first, _) = runs("ddp", CONFIG)
    resumed, other = pair(workers.train_in_parts, tmp_path, CONFIG, 12)
    assert_continues(resumed, first, 12)
    assert_identical(resumed, first)
    assert_identical(resumed, other)


def test_shards_train_as_one(runs):
    _, (one,) = runs("short", SHORT, alone=True)
    folder, (first, second) = runs("fsdp", replace(SHORT, parallel="fsdp"))
    assert_close(first, one)
    assert_identical(first, second)
    model = CausalAudioTokenizer.from_pretrained(folder / "model")
    for name, weight in model.named_parameters():
        assert torch.equal(weight, first["average"][name]), name
    head = SemanticHead.from_pretrained(folder / "model" / "semantic")
    for name, weight in head.named_parameters():
        assert torch.equal(weight, first["weights"][f"semantic.{name}"]), name
    discriminators = Discriminators.from_pretrained(folder / "model" / "discriminators")
    for name, weight in discriminators.named_parameters():
        assert torch.equal(weight, first["discriminators"][name]), name


def test_shards_resume_to_the_bit(runs, pair, tmp_path):
    until, config = 3, replace(SHORT, parallel="fsdp")
    _, (first, _) = runs("fsdp", config)
    resumed, other = pair(workers.train_in_parts, tmp_path, config, until)
    assert_continues(resumed, first, until)
    assert_identical(resumed, first)
    assert_identical(resumed, other)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last", "log.jsonl", "model"]


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_frozen_parts_stay_and_resume(runs, pair, tmp_path, parallel):
    config = replace(FROZEN, parallel=parallel)
    _, (one,) = runs("frozen", FROZEN, alone=True)
    _, (first, _) = runs(f"frozen-{parallel}", config)
    assert_close(first, one)
    resumed, _ = pair(workers.train_in_parts, tmp_path, config, 2)
    assert_identical(resumed, first)
    wrong = replace(config, parallel="ddp" if parallel == "fsdp" else "fsdp")
    assert all("sharded" in said for said in pair(workers.unmatched, tmp_path, wrong))
    if parallel == "fsdp":
        larger = replace(config, semantic=CONFIG.semantic)
        assert all("other networks" in x for x in pair(workers.unmatched, tmp_path, larger))


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_discriminators_alone_learn_as_one(runs, parallel):
    _, (one,) = runs("judged", JUDGED, alone=True)
    _, (first, second) = runs(f"judged-{parallel}", replace(JUDGED, parallel=parallel))
    assert one["lines"][-2]["discriminator_grad_norm"] > 0
    assert_close(first, one)
    assert_identical(first, second)


def test_a_loss_of_no_weight_leaves_parameters_without_gradients(runs):
    weights = CONFIG.weights | {"codebook": 0.0, "semantic": 0.0}
    config = replace(PLAIN, semantic=CONFIG.semantic, weights=weights)
    _, (one,) = runs("weightless", config, alone=True)
    _, (first, second) = runs("weightless-ddp", config)
    assert_close(first, one)
    assert_identical(first, second)


def test_wrappers_of_earlier_stages_are_gone(pair, tmp_path):
    for alive in pair(workers.wrappers, tmp_path, replace(PLAIN, stages=STAGES)):
        assert alive == [1, 2, 1]


def test_a_signal_to_one_process_stops_both_and_saves_once(pair, tmp_path):
    for result in pair(workers.stop_by_signal, tmp_path, PLAIN):
        assert result == {"step": 3, "saves": [3]}
    assert torch.load(tmp_path / "last.pt")["step"] == 3


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_nan_on_one_process_is_skipped_by_both(pair, tmp_path, parallel):
    config = replace(PLAIN, parallel=parallel, weights=CONFIG.weights | {"waveform": 0.0})
    first, second = pair(workers.nan_on_one_rank, tmp_path, config)
    bad = [line["step"] for line in first["lines"] if "finite" in line]
    assert bad == [3] and first["lines"][-1]["step"] == 6
    for name, weight in first["before"].items():
        assert torch.equal(weight, first["after"][name]), name
    assert_identical(first, second)
    assert all(weight.isfinite().all() for weight in first["weights"].values())
    found = sorted(path.name for path in (tmp_path / "bad").iterdir())
    assert found == ["step-2-rank-0.pt", "step-2-rank-1.pt"]


def test_one_process_is_alone_and_keeps_its_device(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert distributed.init_distributed(torch.device("cpu")) == (Group(), torch.device("cpu"))


RECIPE = """
init_from = "{model}"
stages = [{{steps = 2}}, {{steps = 1, adversarial = true}}]
gan = {{discriminators = "{discriminators}", crop_seconds = 0.08}}
log_every = 1
validate_every = 2
[data]
crop_seconds = 0.16
batch_size = 1
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_command_under_torchrun(tmp_path, pair):
    build(small_settings()).save_pretrained(tmp_path / "small")
    (tmp_path / "clips").mkdir()
    for seed in range(2):
        noise = torch.rand(1, 24_000, generator=torch.Generator().manual_seed(seed)) - 0.5
        save_audio(tmp_path / "clips" / f"{seed}.wav", noise, 24_000)
    Discriminators(workers.MINI).save_pretrained(tmp_path / "discriminators")
    places = {"model": tmp_path / "small", "discriminators": tmp_path / "discriminators"}
    (tmp_path / "recipe.toml").write_text(RECIPE.format(**places))
    data = ["--data", str(tmp_path / "clips"), "--valid", str(tmp_path / "clips")]
    train = ["train", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "run")]
    torchrun = ["torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
    command = [sys.executable, "-m", *torchrun, str(free_port()), "-m", "catok", *train, *data]
    result = subprocess.run(
        [*command, "--device", "cpu", "--threads", "1"],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("3 of 3 steps done") == 1
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [line["step"] for line in map(json.loads, log) if "total" in line] == [1, 2, 3]
    model = tmp_path / "run" / "model"
    before = CausalAudioTokenizer.from_pretrained(model)

    # the same two processes as above instead of new ones: the command's own work is the same
    finetune = ["finetune", str(model), "--steps", "2", "--adversarial", "--device", "cpu"]
    finetune += ["--set", "data.batch_size=1", "--set", "data.crop_seconds=0.16"]
    assert pair(workers.command, [*finetune, *data, "--out", str(tmp_path / "fine")]) == [0, 0]
    after = CausalAudioTokenizer.from_pretrained(tmp_path / "fine" / "model")
    assert after.weight_hash == before.weight_hash
    for name, weight in after.named_parameters():
        same = torch.equal(weight, before.get_parameter(name))
        assert same == (not name.startswith("decoder.")), name
