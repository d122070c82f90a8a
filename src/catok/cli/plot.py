"""`catok plot`: a picture of a recording, of codes, or of a round trip by bitrate."""

from typing import Annotated

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command

WRITES = (".png", ".svg", ".pdf")


@command
def run(
    source: Annotated[
        Positional[str], arg(metavar="INPUT", help="An audio or .cat file, or - for either.")
    ],
    out: Annotated[
        str | None,
        arg(
            aliases=["-o"],
            metavar="OUT",
            help="A .png, .svg or .pdf file. Without it: a .png beside the input.",
            help_behavior_hint="",
        ),
    ] = None,
    quantizers: Annotated[
        tuple[int, ...],
        arg(
            metavar="K...",
            help="Show the sound of the first K codebooks, for each K: a round trip by bitrate.",
            help_behavior_hint="(default: the recording itself, or all codebooks of a .cat file)",
        ),
    ] = (),
    start: Annotated[float, arg(metavar="X", help="Second to begin at.")] = 0.0,
    seconds: Annotated[float, arg(metavar="X", help="Seconds to show, at most.")] = 10.0,
    model: shared.Model = "tiny",
    device: shared.Device = "auto",
    overwrite: shared.Overwrite = False,
    skip_existing: shared.SkipExisting = False,
) -> int:
    """Draw waveform, spectrogram and codes over one axis of time.

    Of a .cat file, the sound is what its codes decode to.
    """
    from pathlib import Path

    from catok.cli import files
    from catok.cli.terminal import print_note
    from catok.extras import require

    for num_quantizers in quantizers:
        shared.check_count("--quantizers", num_quantizers)
    shared.check_number("--start", start)
    shared.check_number("--seconds", seconds, least=0.1, most=600.0)
    require("plot")
    if source != "-" and Path(source).is_dir():
        raise ValueError(f"{source} is a folder: plot takes one file")
    existing = files.Existing(overwrite, skip_existing)
    todo = files.plan_jobs((source,), out, files.READS_AUDIO | files.READS_CAT, WRITES, existing)
    if not todo.jobs:
        print_note("catok: nothing to do, the output exists already")
        return 0
    (job,) = todo.jobs

    from catok.cli.excerpt import Excerpt
    from catok.cli.figure import Codes, draw
    from catok.cli.loading import load_model
    from catok.cli.pipes import writable
    from catok.cli.recordings import bitrate
    from catok.cli.terminal import shown
    from catok.codes import Encoded
    from catok.io.cat_file import is_cat_file

    tok = load_model(model, device, "float32")
    cut = Excerpt(tok, start, seconds)
    sounds, counts = [], quantizers
    if is_cat_file(job.source):
        encoded = cut.codes(Encoded.load(job.source))
        counts = quantizers or (encoded.num_quantizers,)
    else:
        audio, encoded = cut.recording(job.source)
        sounds = [cut.sound("original", audio)]
    for num_quantizers in counts:
        sounds.append(cut.sound(bitrate(tok, num_quantizers), cut.decoded(encoded, num_quantizers)))
    first = int(start * tok.frame_rate)
    codes = Codes(
        encoded.codes[0, :, first:],
        tok.codebook_size,
        tok.frame_rate,
        first / tok.frame_rate,
        quantizers,
    )
    with writable(job.target) as target:
        suffix = WRITES[0] if job.target is None else job.target.suffix.lower()
        draw(target, suffix, shown(Path(job.name).name), sounds, codes)
    begin, end = sounds[0].span
    note = f"{end - begin:.2f} s of audio, {bitrate(tok, encoded.num_quantizers)}"
    print_note(f"catok: drew {note}, in {job.target or 'standard output'}")
    return 0
