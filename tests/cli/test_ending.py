"""Signals end a command wherever they come, also while libsndfile calls Python."""

import os
import signal
import subprocess
import sys

import pytest

from catok.cli.errors import exit_code

CALLED = """
import os, signal, sys, time
import soundfile
from catok.cli.errors import exit_code

class File:
    '''As libsndfile writes to it: the signal comes in the middle of its callback.'''
    def __init__(self): self.size = self.place = self.calls = 0
    def write(self, data):
        self.calls += 1
        if self.calls == 3:
            os.kill(os.getpid(), int(sys.argv[1]))
        self.place += len(data); self.size = max(self.size, self.place); return len(data)
    def seek(self, offset, whence=0):
        self.place = (0, self.place, self.size)[whence] + offset; return self.place
    def tell(self): return self.place
    def read(self, count): return b""

def command():
    try:
        with soundfile.SoundFile(File(), "w", 24000, 1, format="WAV", subtype="FLOAT") as file:
            for _ in range(50):
                file.write([0.0] * 24000)
                time.sleep(0.02)
        print("went on")
        return 0
    finally:
        print("cleaned up")

sys.exit(exit_code(command))
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_that_comes_in_a_callback_ends_the_command(number, code):
    result = subprocess.run(
        [sys.executable, "-c", CALLED, str(int(number))], capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stdout) == (code, "cleaned up\n"), result.stderr
    assert "Traceback" not in result.stderr


def test_handlers_are_what_they_were():
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]

    def command():
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("it went on")

    assert exit_code(command) == 130
    assert [signal.getsignal(number) for number in numbers] == before
