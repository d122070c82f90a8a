"""Our own backends pass, and ports with a fault fail by the check that looks for it."""

import shlex
import sys

import pytest

from catok import CausalAudioTokenizer
from catok.conformance import ClassPort, CommandPort, port_named, verify
from catok.conformance.models import VARIANTS
from catok.conformance.targets import is_model
from tests.conformance import broken

pytestmark = pytest.mark.slow

QUICK = ["whole", "partial", "batch", "chunks", "pauses", "reset"]
BASIC = ["whole", "partial", "batch"]


def failed(report):
    return {o.check for v in report.variants for o in v.outcomes if not o.passed}


def test_torch_passes_every_check(kit):
    calls = []
    report = verify(port_named("torch"), [kit["24khz"]], progress=lambda: calls.append(1))
    assert report.passed and len(calls) == len(report.variants[0].outcomes)
    assert not any(outcome.absent or outcome.ties for outcome in report.variants[0].outcomes)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "24khz"])
def test_torch_passes_with_all_variants(kit, name):
    assert verify(port_named("torch"), [kit[name]], QUICK).passed


@pytest.mark.parametrize("name", ["24khz", "nano"])
def test_transformers_classes_pass(kit, name):
    report = verify(port_named("hf"), [kit[name]], QUICK)
    assert report.passed
    assert not any(outcome.absent for outcome in report.variants[0].outcomes)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_onnxruntime_passes(kit, name):
    pytest.importorskip("onnx")
    checks = QUICK if name == "24khz" else ["whole", "partial", "reset"]
    report = verify(port_named("onnx"), [kit[name]], checks)
    assert report.passed
    assert not any(outcome.absent for outcome in report.variants[0].outcomes)


def test_a_command_passes(kit):
    program = f"{shlex.quote(sys.executable)} -m catok.conformance.exchange {{in}} {{out}}"
    report = verify(CommandPort(program), [kit["tiny"]], ["whole", "partial", "prefix", "reset"])
    assert report.passed
    assert not any(outcome.absent for outcome in report.variants[0].outcomes)


FAULTS = {
    "RingCache": ("ring cache", QUICK, {"chunks", "pauses", "reset"}),
    "FloorLengths": ("length", BASIC, {"partial", "batch"}),
    "NarrowQuantizer": ("precision", BASIC, set(BASIC)),
    "Float16": ("precision", ["whole"], {"whole"}),
    "TanhGelu": ("precision", ["whole"], {"whole"}),
    "ResetKeeps": ("reset", QUICK, {"reset"}),
    "NobodyWaits": ("pauses", QUICK, {"pauses"}),
    "UnscaledRotary": ("network", BASIC, set(BASIC)),
    "NoWindow": ("window", BASIC, set(BASIC)),
    "RestartedPositions": ("stream", QUICK, {"chunks", "pauses", "reset"}),
    "MixedRows": ("batch", BASIC, {"batch"}),
}
"""Port: the finding, the checks that are run, and those that fail."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_named(kit, fault):
    name, checks, wrong = FAULTS[fault]
    report = verify(ClassPort(getattr(broken, fault), fault), [kit["24khz"]], checks)
    assert [finding.name for finding in report.variants[0].findings] == [name]
    assert failed(report) == wrong


@pytest.mark.parametrize("fault", ["RingCache", "RestartedPositions", "NarrowQuantizer"])
def test_faults_are_named_in_stereo_too(kit, fault):
    checks = ["whole", "chunks"]
    report = verify(ClassPort(getattr(broken, fault), fault), [kit["v2"]], checks)
    assert [finding.name for finding in report.variants[0].findings] == [FAULTS[fault][0]]


def test_a_wrong_prefix_is_found(kit):
    port = ClassPort(broken.OneMoreCodebook, "one more")
    report = verify(port, [kit["tiny"]], ["whole", "partial", "prefix"])
    assert failed(report) == {"prefix"}
    assert [finding.name for finding in report.variants[0].findings] == ["prefix"]


def test_a_ring_cache_is_right_until_the_window_is_full(kit):
    report = verify(ClassPort(broken.RingCache, "ring"), [kit["24khz"]], ["chunks"])
    single = report.variants[0].outcomes[0]
    assert single.setting == "of 1" and single.first_wrong.index == kit["24khz"].windows[0] == 5
    assert single.share(True) == 1 and single.share(False) < 0.6


def test_a_port_that_cannot_load_or_raises_is_reported(kit):
    class Unloadable(CausalAudioTokenizer):
        @classmethod
        def from_pretrained(cls, folder, **options):
            raise KeyError("encoder.1")

    class Raises(CausalAudioTokenizer):
        def encode(self, audio, lengths=None, num_quantizers=None):
            raise RuntimeError("no kernel")

    report = verify(ClassPort(Unloadable, "unloadable"), [kit["tiny"]], ["whole"])
    assert not report.passed and "KeyError" in report.variants[0].findings[0].text
    report = verify(ClassPort(Raises, "raises"), [kit["tiny"]], ["whole", "chunks"])
    assert [finding.name for finding in report.variants[0].findings] == ["error"]
    assert failed(report) == {"whole"}


def test_unknown_names_are_refused(kit, tmp_path):
    for name in ("no.such.module:Port", "catok:Nothing", "json:loads"):
        with pytest.raises(ValueError, match="no class|from_pretrained"):
            port_named(name)
    with pytest.raises(ValueError, match="no folder"):
        port_named("there-is-none")
    with pytest.raises(ValueError, match="no checks"):
        verify(port_named("torch"), [kit["tiny"]], ["wohle"])
    report = verify(port_named(str(tmp_path)), [kit["tiny"]], ["whole"])
    assert "has no folder tiny" in report.variants[0].fault


def test_a_folder_of_graphs(kit, tmp_path):
    pytest.importorskip("onnx")
    from catok.export import export_tokenizer

    export_tokenizer(CausalAudioTokenizer.from_pretrained(kit["tiny"].folder), tmp_path / "tiny")
    assert verify(port_named(str(tmp_path)), [kit["tiny"]], ["whole"]).passed
    with pytest.raises(ValueError, match="name the model they are of"):
        is_model(str(tmp_path / "tiny"))


def test_a_folder_of_converted_models(kit, tmp_path):
    model = CausalAudioTokenizer.from_pretrained(kit["tiny"].folder)
    model.save_pretrained(tmp_path / "tiny", dtype="float16")
    report = verify(port_named(str(tmp_path)), [kit["tiny"]], ["whole"])
    assert [finding.name for finding in report.variants[0].findings] == ["precision"]
    model.save_pretrained(tmp_path / "tiny")
    assert verify(port_named(f"hf:{tmp_path}"), [kit["tiny"]], ["whole"]).passed
