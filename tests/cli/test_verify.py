"""`catok verify`."""

import json
import re

import pytest

from catok.cli import main

pytestmark = pytest.mark.slow

FEW = ("--variants", "tiny", "--checks", "whole", "partial", "chunks")


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify") / "kit"
    assert main(["verify", "--make", str(folder), "--variants", "tiny"]) == 0
    return str(folder)


def test_a_right_port(kit, capsys, tmp_path):
    html, data = tmp_path / "report.html", tmp_path / "report.json"
    files = ("--report", str(html), str(data))
    assert main(["verify", "torch", "--kit", kit, *FEW, *files]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^chunks +of 1 to 13 +100 % .* passed$", out, re.M)
    assert out.splitlines()[-1] == "torch: passed (16 of 16 tasks passed)"
    told = json.loads(data.read_text())
    assert told["passed"] and [v["name"] for v in told["variants"]] == ["tiny"]
    stream = told["variants"][0]["tasks"][3]
    assert stream["equal_codes"] == 1 and len(stream["frames"]) == 40
    page = html.read_text()
    assert page.count('class="right"') == 40 + 6 + 1 + 5 * 40 and 'class="wrong"' not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_wrong_port_ends_with_1_and_says_where(kit, capsys, tmp_path):
    html, data = tmp_path / "report.html", tmp_path / "report.json"
    files = ("--report", str(html), str(data))
    port = "tests.conformance.broken:RingCache"
    assert main(["verify", port, "--kit", kit, *FEW, *files]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^chunks +of 1 .* 5 of long +FAILED$", out, re.M)
    assert "ring cache: streams in chunks of 1 are right until" in out
    told = json.loads(data.read_text())["variants"][0]
    assert [finding["name"] for finding in told["findings"]] == ["ring cache"]
    assert told["tasks"][3]["first_wrong_frame"] == {"recording": "long", "frame": 5}
    assert html.read_text().count('<rect class="wrong"') > 50


def test_looser_limits(kit, capsys):
    dtype = ("--dtype", "bfloat16", "--kit", kit, "--variants", "tiny", "--checks", "whole")
    assert main(["verify", "torch", *dtype]) == 1
    assert "precision: " in capsys.readouterr().out
    assert main(["verify", "torch", *dtype, "--min-equal", "0.2", "--min-snr", "10"]) == 0


def test_one_model_and_what_was_made_of_it(model_folder, small_model, capsys, tmp_path):
    few = ("--checks", "whole", "partial")
    assert main(["verify", str(model_folder), *few]) == 0
    captured = capsys.readouterr()
    assert "computing the vectors of" in captured.err and "small: " in captured.out
    small_model.save_pretrained(tmp_path, dtype="float16")
    assert main(["verify", f"hf:{tmp_path}", "--model", str(model_folder), *few]) == 1
    assert "precision: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ([], 2, "give one of TARGET, --command and --make"),
        (["torch", "--make", "x"], 2, "give one of TARGET"),
        (["torch", "--report", "x.txt"], 2, "the suffix must be one of"),
        (["torch", "--report", "none/x.html"], 1, "no folder none"),
        (["torch", "--model", "tiny", "--kit", "x"], 2, "--model stands instead"),
        (["torch", "--kit", "none"], 1, "is no kit"),
        (["--command", "port {in}"], 1, "must hold"),
        (["torch", "--min-equal", "2"], 1, "--min-equal"),
        (["no.module:Port"], 1, "no class no.module:Port"),
    ],
)
def test_arguments_that_do_not_go_together(arguments, code, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["verify", *arguments]) == code
    assert reason in capsys.readouterr().err
