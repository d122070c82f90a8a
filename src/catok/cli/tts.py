"""`catok tts`: text to speech."""

from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command
from catok.cli.prompt_options import PromptOptions

MAX_PAUSE = 600.0  # seconds, as in lm/tts/long_form.py
MAX_SECONDS = 3600.0  # as in lm/tts/request.py
_NONE = "(default: none)"
_MODEL = "(default: the model's own)"


@command
def run(
    text: Annotated[
        Positional[str | None],
        arg(
            metavar="TEXT",
            help="What to say; @FILE for a text file, a folder of .txt, a .jsonl or a "
            "Seed-TTS-Eval .lst; - for standard input, where each line is an utterance.",
            help_behavior_hint="",
        ),
    ] = None,
    *,
    out: Annotated[
        str,
        arg(
            aliases=["-o"],
            metavar="OUT",
            help="An audio file, a folder where there are many texts, or - for a WAV on standard "
            "output that can be heard while it is made.",
        ),
    ],
    file: Annotated[
        str | None, arg(metavar="FILE", help="As @FILE.", help_behavior_hint="")
    ] = None,
    model: Annotated[
        str, arg(metavar="M", help="Embedded name, model folder, or hub id such as owner/name.")
    ] = "tiny-tts",
    tokenizer: Annotated[
        str | None,
        arg(metavar="M", help="Audio tokenizer of a released model.", help_behavior_hint=_MODEL),
    ] = None,
    reference: Annotated[
        str | None,
        arg(metavar="AUDIO", help="A recording of the voice.", help_behavior_hint=_NONE),
    ] = None,
    reference_text: Annotated[
        str | None,
        arg(metavar="TEXT", help="What is said in the reference.", help_behavior_hint=_NONE),
    ] = None,
    mode: Annotated[
        Literal["auto", "clone", "continuation", "both"],
        arg(
            help="How the reference is used; auto: continuation with --reference-text, else clone."
        ),
    ] = "auto",
    prompt: OmitArgPrefixes[PromptOptions] = PromptOptions(),  # noqa: B008 - frozen
    quantizers: Annotated[
        int | None,
        arg(
            metavar="K",
            help="Make the first K codebooks only: faster, lower quality.",
            help_behavior_hint=_MODEL,
        ),
    ] = None,
    seed: Annotated[int, arg(metavar="S", help="Another seed is another reading.")] = 0,
    candidates: Annotated[
        int,
        arg(
            metavar="N",
            help="Say it N times, with a seed each, and keep what --asr recognises best. With more "
            "than one, sentences are heard whole.",
        ),
    ] = 1,
    asr: Annotated[
        str,
        arg(
            metavar="M",
            help="Recogniser that --candidates are compared by: with a CTC head, of the same "
            "codes.",
        ),
    ] = "tiny-asr",
    temperature: Annotated[
        float | None,
        arg(metavar="X", help="Of the codes; 0 is the likeliest.", help_behavior_hint=_MODEL),
    ] = None,
    top_p: Annotated[
        float | None, arg(metavar="X", help="Of the codes.", help_behavior_hint=_MODEL)
    ] = None,
    top_k: Annotated[
        int | None, arg(metavar="N", help="Of the codes.", help_behavior_hint=_MODEL)
    ] = None,
    repetition_penalty: Annotated[
        float | None, arg(metavar="X", help="Of the codes.", help_behavior_hint=_MODEL)
    ] = None,
    guidance: Annotated[
        float | None,
        arg(
            metavar="X",
            help="Above 1: keep closer to the text, for twice the work; 1 is off.",
            help_behavior_hint=_MODEL,
        ),
    ] = None,
    text_temperature: Annotated[
        float | None,
        arg(metavar="X", help="Of the decision to end; 0 is certain.", help_behavior_hint=_MODEL),
    ] = None,
    verbalize: Annotated[
        Literal["auto", "yes", "no"],
        arg(
            help="Write out numbers, dates, money and abbreviations of English; auto: if the model "
            "was trained on English without digits."
        ),
    ] = "auto",
    max_seconds: Annotated[
        float | None,
        arg(
            metavar="X",
            help="Where a sentence that does not end is cut off.",
            help_behavior_hint="(default: by the length of the text, 60 at most)",
        ),
    ] = None,
    max_length: Annotated[
        int, arg(metavar="N", help="Letters in one go; longer text is spoken by sentences.")
    ] = 200,
    pause: Annotated[float, arg(metavar="X", help="Seconds between pieces or lines.")] = 0.25,
    batch_size: Annotated[int, arg(metavar="N", help="Texts of a list at a time.")] = 4,
    shard: shared.Shard = None,
    workers: shared.Workers = 1,
    threads: int | None = None,
    format: shared.Format = "auto",
    overwrite: shared.Overwrite = False,
    skip_existing: shared.SkipExisting = False,
    raw: Annotated[
        bool,
        arg(help="No WAV header: 16-bit samples on standard output.", help_behavior_hint=""),
    ] = False,
    device: shared.Device = "auto",
    dtype: Annotated[shared.DtypeName, arg(help="Arithmetic of the language model.")] = "float32",
) -> int:
    """Speak text, in a voice of the model's choice or that of a reference.

    A folder or list gives one ID.wav per text; run again, it goes on where it stopped. Speed is
    printed on stderr.
    """
    import os
    import sys
    from pathlib import Path

    from catok.cli import files
    from catok.cli.errors import UsageError
    from catok.cli.folders import make_folder
    from catok.cli.pipes import check_stdin, check_stdout
    from catok.cli.terminal import print_note as note
    from catok.cli.utterances import TextItem, read_utterances

    if (text is None) == (file is None):
        raise UsageError("name the text to speak, or --file, but not both")
    if file is None and text is not None and text.startswith("@"):
        file = text[1:]
    if file is None and text and text != "-" and os.path.exists(text):
        raise UsageError(f"{text} is a file or folder: to speak what is in it, write @{text}")
    if raw and out != "-":
        raise UsageError("--raw is for standard output: -o -")
    if candidates < 1:
        raise UsageError(f"--candidates must be at least 1, got {candidates}")
    if batch_size < 1:
        raise UsageError(f"--batch-size must be at least 1, got {batch_size}")
    if out == "-":
        check_stdout()
    shared.check_count("--quantizers", quantizers)
    shared.check_count("--workers", workers)
    shared.check_number("--max-seconds", max_seconds, most=MAX_SECONDS)
    shared.check_number("--pause", pause, most=MAX_PAUSE)
    numbers = {
        "--temperature": temperature,
        "--top-p": top_p,
        "--repetition-penalty": repetition_penalty,
        "--guidance": guidance,
        "--text-temperature": text_temperature,
    }
    for option, value in numbers.items():
        shared.check_number(option, value)
    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed must be from 0 to 2**63 - 1, got {seed}")
    if reference is not None:
        shared.check_exists(reference)
    existing, suffixes = files.Existing(overwrite, skip_existing), files.audio_suffixes(format)
    lines = file is None and text == "-"
    items, many, unread = [TextItem("speech", text or "")], False, {}
    if file is not None:
        shared.check_exists(file)
        items, many, unread = read_utterances(Path(file))
    if not many and (shard is not None or workers > 1):
        raise UsageError("--shard and --workers are for several texts: a folder or a list of them")
    part = files.Shard.parse(shard)
    items, unread = part.of(items), dict(part.of(list(unread.items())))
    if lines:
        check_stdin()
    target: Path | None = None
    if many:
        if out == "-":
            raise UsageError("only one text fits on standard output: name a folder with -o")
        make_folder(files.folder_of_many(out, suffixes))
    elif files.is_folder(out):
        make_folder(Path(out))
        target = Path(out, f"{items[0].id}{suffixes[0]}")
        if target.exists() and not overwrite and not skip_existing:
            raise ValueError(f"{target} exists already: --overwrite replaces it")
    else:
        target = files.output_file(out, suffixes)
    if target is not None and target.exists() and skip_existing:
        note(f"catok: nothing to do, {target} exists already")
        return 0

    from catok.audio import AudioWriter
    from catok.cli.speaker_spec import SpeakerSpec
    from catok.cli.speaking import SpeechStats, speak_to_stream
    from catok.cli.speaking_to_files import Outputs, speak_to_files
    from catok.cli.wav_stream import WavStreamWriter
    from catok.lm.tts import SpeechRequest

    wanted = {
        "audio_temperature": temperature,
        "audio_top_p": top_p,
        "audio_top_k": top_k,
        "audio_repetition_penalty": repetition_penalty,
        "text_temperature": text_temperature,
        "guidance": guidance,
    }
    request = SpeechRequest(
        text="",  # of each utterance
        reference=None if reference is None else Path(reference),
        reference_text=reference_text,
        mode=None if mode == "auto" else mode,
        num_quantizers=quantizers,
        seed=seed,
        max_seconds=max_seconds,
        verbalize={"auto": None, "yes": True, "no": False}[verbalize],
        **vars(prompt),
    )
    spec = SpeakerSpec(
        model,
        tokenizer,
        device,
        dtype,
        request,
        {name: value for name, value in wanted.items() if value is not None},
        max_length,
        pause,
        asr,
        candidates,
    )
    if many:
        stats = speak_to_files(
            spec.build,
            items,
            unread,
            Outputs(Path(out), suffixes[0]),
            existing,
            batch=batch_size,
            workers=workers,
            threads=threads,
        )
        note(stats.line(len(items) + len(unread), f"in {out}"))
        return 1 if stats.failed else 0
    speaker = spec.build()
    seeded = ((item, seed) for item in items)
    if lines:
        spoken = (line.strip() for line in sys.stdin)
        numbered = enumerate((line for line in spoken if line), start=1)
        each = (TextItem(str(number), line) for number, line in numbered)
        seeded = ((item, item.seed(seed)) for item in each)
    stats = SpeechStats(detail=speaker.detail)
    rate, channels = speaker.synth.sample_rate, speaker.synth.tokenizer.channels
    if target is None:
        output = WavStreamWriter(sys.stdout.buffer, rate, channels, raw=raw)
    else:
        output = AudioWriter(target, rate, channels)
    with output as writer:
        count = speak_to_stream(speaker, seeded, writer, stats)
    note(stats.line(count, "" if target is None else f"in {target}"))
    return 0
