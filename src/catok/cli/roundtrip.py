"""`catok roundtrip`: what a recording sounds like after the tokenizer."""

from typing import Annotated

from tyro.conf import Positional, arg

from catok.cli import arguments as shared


def run(
    source: Annotated[
        Positional[str],
        arg(metavar="INPUT", help="An audio file, or - for standard input."),
    ],
    out: Annotated[
        str,
        arg(aliases=["-o"], metavar="OUT", help="The audio file to write, - for standard output."),
    ],
    quantizers: shared.Quantizers = None,
    model: shared.Model = "tiny",
    device: shared.Device = "auto",
    dtype: shared.Dtype = "float32",
) -> int:
    """Encode a recording and decode it again, to hear what is lost.

    Bitrate and speed are printed on stderr.
    """
    import math
    import time
    from pathlib import Path

    from catok.audio import AudioWriter
    from catok.cli.errors import UsageError
    from catok.cli.files import READS_AUDIO, plan, writable
    from catok.cli.models import load_model
    from catok.cli.progress import Progress
    from catok.cli.recordings import audio_seconds, conversion_note, reconstructed

    if source != "-" and Path(source).is_dir():
        raise UsageError(f"{source} is a folder: roundtrip takes one recording")
    todo = plan((source,), out, READS_AUDIO, ".wav")
    job = todo.jobs[0]
    tok = load_model(model, device, dtype)
    with Progress(lambda: audio_seconds(todo)) as progress:
        note = conversion_note(tok, job.source, job.name)
        started = time.monotonic()
        with (
            writable(job.target) as target,
            AudioWriter(target, tok.sample_rate, tok.channels) as writer,
        ):
            for block in reconstructed(tok, job.source, quantizers, progress):
                writer.write(block)
        elapsed = time.monotonic() - started
        if note:
            progress.say(f"catok: {note}")
    seconds = writer.samples / tok.sample_rate
    depth = quantizers or tok.num_quantizers
    bitrate = depth * math.log2(tok.codebook_size) * tok.frame_rate
    progress.say(
        f"catok: {seconds:.2f} s at {bitrate / 1000:.3g} kbps, {seconds / elapsed:.1f} times real "
        f"time (real-time factor {elapsed / seconds:.3f})"
    )
    return 0
