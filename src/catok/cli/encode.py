"""`catok encode`: audio to `.cat`."""

from catok.cli import arguments as arg


def run(
    inputs: arg.AudioInputs,
    out: arg.Output = None,
    quantizers: arg.Quantizers = None,
    model: arg.Model = "tiny",
    device: arg.Device = "auto",
    dtype: arg.Dtype = "float32",
    skip_existing: arg.SkipExisting = False,
) -> int:
    """Encode audio into .cat files.

    Any sample rate and number of channels is converted to the model's. Folders are walked with all
    their subfolders, and OUT is laid out as they are.
    """
    from catok.cli.batch import Done, work_through
    from catok.cli.files import READS_AUDIO, Job, plan, writable
    from catok.cli.models import load_model
    from catok.cli.progress import Progress
    from catok.cli.recordings import audio_seconds, conversion_note, encode_recording
    from catok.tokenizer.checks import check_quantizers

    todo = plan(inputs, out, READS_AUDIO, ".cat")
    tok = load_model(model, device, dtype, part="encoder")
    check_quantizers(quantizers, tok.num_quantizers)

    def work(job: Job) -> Done:
        note = conversion_note(tok, job.source, job.name)
        encoded = encode_recording(tok, job.source, quantizers, progress)
        with writable(job.target) as target:
            encoded.save(target)
        return Done(float(encoded.duration), note)

    with Progress(lambda: audio_seconds(todo)) as progress:
        return work_through(todo, work, progress, verb="encoded", skip_existing=skip_existing)
