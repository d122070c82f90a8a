"""Programs as ports: what they skip, leave out or fail at."""

import shlex
import sys

import pytest

from catok.conformance import CommandPort, verify

pytestmark = pytest.mark.slow


def port(tmp_path, program: str) -> CommandPort:
    file = tmp_path / "port.py"
    file.write_text(program)
    return CommandPort(f"{shlex.quote(sys.executable)} {file} {{in}} {{out}}")


def test_a_program_may_skip_and_leave_out(kit, tmp_path):
    program = """
import json, sys
request = json.load(open(sys.argv[1] + "/request.json"))
assert request["format"] == 1 and request["model"].endswith("tiny")
names = {task["name"]: task for task in request["tasks"]}
assert names["encode-whole"]["steps"] is None and names["encode-chunks-of-5"]["steps"][0] == {
    "frames": 5, "active": [True], "reset": []}
skipped = {name: "no streams" for name in names if "chunks" in name}
json.dump({"skipped": skipped}, open(sys.argv[2] + "/response.json", "w"))
"""
    report = verify(port(tmp_path, program), [kit["tiny"]], ["whole", "chunks"])
    whole, *chunks = report.variants[0].outcomes[:6]
    assert whole.fault.endswith("the command wrote no encode-whole.npy") and not report.passed
    assert all(each.absent == "no streams" and each.passed for each in chunks)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; sys.exit('no such model')", "ended with 1: no such model"),
        (
            "import sys; open(sys.argv[2] + '/encode-whole.npy', 'w').write('text')",
            "encode-whole.npy cannot be read",
        ),
        (
            "import sys, numpy; numpy.save(sys.argv[2] + '/encode-whole', numpy.zeros(3))",
            "encode-whole.npy has shape \\[3\\]",
        ),
    ],
)
def test_what_goes_wrong_is_told(kit, tmp_path, program, reason):
    report = verify(port(tmp_path, program), [kit["tiny"]], ["whole"])
    [variant] = report.variants
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(variant.fault or variant.outcomes[0].fault)
    assert not report.passed


def test_commands_that_cannot_be(kit):
    with pytest.raises(ValueError, match="must hold {in} and {out}"):
        CommandPort("port {in}")
    report = verify(CommandPort("/no/such/program {in} {out}"), [kit["tiny"]], ["whole"])
    assert "cannot start /no/such/program" in report.variants[0].fault
