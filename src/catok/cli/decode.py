"""`catok decode`: `.cat` to audio."""

from catok.cli import arguments as arg


def run(
    inputs: arg.CatInputs,
    out: arg.Output = None,
    quantizers: arg.Quantizers = None,
    model: arg.Model = "tiny",
    device: arg.Device = "auto",
    dtype: arg.Dtype = "float32",
    skip_existing: arg.SkipExisting = False,
) -> int:
    """Decode .cat files into audio.

    Writes WAV, or what the suffix of OUT says: .flac, .ogg, .opus, .mp3, .aiff or .w64. Without
    OUT, no file that exists is replaced: it may be the original recording.
    """
    from catok.cli.batch import Done, work_through
    from catok.cli.files import READS_CAT, Job, plan, writable
    from catok.cli.models import load_model
    from catok.cli.progress import Progress
    from catok.cli.recordings import cat_seconds, decode_recording
    from catok.codes import Encoded

    todo = plan(inputs, out, READS_CAT, ".wav")
    tok = load_model(model, device, dtype, part="decoder")

    def work(job: Job) -> Done:
        if out is None and job.target is not None and job.target.exists():
            raise ValueError(f"{job.target} exists already: name the output with -o")
        encoded = Encoded.load(job.source, quantizers)
        with writable(job.target) as target:
            decode_recording(tok, encoded, target, progress)
        return Done(float(encoded.duration))

    with Progress(lambda: cat_seconds(todo)) as progress:
        return work_through(todo, work, progress, verb="decoded", skip_existing=skip_existing)
