"""Small models for tests: the full structure, in milliseconds; which tests may be skipped."""

import os
import random
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import pytest
import torch
from hypothesis import settings

from catok import CausalAudioTokenizer, TokenizerConfig


def small_settings(channels: int = 1, **changes) -> dict:
    """A config dictionary: 24 kHz, 12.5 frames/s, patches 240, 2, 2, 2, eight codebooks of 64."""

    def stage(inside: int, outside: int) -> dict:
        return {
            "input_dim": inside,
            "output_dim": outside,
            "width": 32,
            "layers": 1,
            "heads": 2,
            "feedforward": 64,
            "window": 1.2,
            "layer_scale": 0.5,
        }

    settings = {
        "sample_rate": 24_000 // channels,
        "channels": channels,
        "always_project": channels > 1,
        "encoder": [
            {"size": 240},
            stage(240, 16),
            {"size": 2},
            stage(32, 16),
            {"size": 2},
            stage(32, 16),
            {"size": 2},
            stage(32, 16),
        ],
        "quantizer": {
            "input_dim": 16,
            "inner_dim": 16,
            "num_quantizers": 8,
            "codebook_size": 64,
            "codebook_dim": 4,
        },
    }
    return settings | changes


def build(settings: dict, seed: int = 0) -> CausalAudioTokenizer:
    """A model with random weights, made loud enough that every term of its numerics matters."""
    torch.manual_seed(seed)
    model = CausalAudioTokenizer(TokenizerConfig.from_dict(settings), model_id="small").eval()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            if parameter.dim() == 2:
                parameter.mul_(2)
    return model


@pytest.fixture(autouse=True, scope="session")
def heeded_signals() -> None:
    """Signals that whoever started the tests ignores (nohup, a shell's background) are heeded."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Random inputs are the same in every run and in every order of the tests."""
    torch.manual_seed(0)
    numpy.random.seed(0)
    random.seed(0)


@pytest.fixture
def small_config() -> TokenizerConfig:
    """The configuration of `small_model`."""
    return TokenizerConfig.from_dict(small_settings())


@pytest.fixture(scope="session")
def small_model() -> CausalAudioTokenizer:
    """Mono, random weights; do not change it in a test."""
    return build(small_settings())


@pytest.fixture(scope="session")
def stereo_model() -> CausalAudioTokenizer:
    """Two interleaved channels, projections everywhere; do not change it in a test."""
    return build(small_settings(channels=2))


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """No file may grow beyond `limit` bytes: as a full disk, it fails half way through.

    For the shortest time: what pytest itself prints may go to a file that is longer.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


SLOW = (  # left out by -m "not slow": training, processes, pages, others' models, above a second
    "tests/audio/test_ffmpeg.py",
    "tests/audio/test_hostile.py::test_bytes_that_are_slow_to_look_through",
    "tests/cli/test_asr.py::test_what_is_done_is_kept_and_gone_on_with",
    "tests/cli/test_convert.py::test_there_and_back",
    "tests/cli/test_encode.py::test_workers_and_shards_do_it_together",
    "tests/cli/test_evaluate.py::test_tiny_with_fast_metrics",
    "tests/cli/test_every_command.py::test_threads_are_set",
    "tests/cli/test_finetune.py::test_a_published_head_goes_on",
    "tests/cli/test_finetune.py::test_codes_stay_to_the_bit",
    "tests/cli/test_finetune.py::test_the_embedded_model_brings_its_discriminators",
    "tests/cli/test_finetune_lm.py::test_a_model_goes_on_with_a_voice",
    "tests/cli/test_models.py",
    "tests/cli/test_pipes.py::test_encode_into_decode",
    "tests/cli/test_plot.py::test_recordings_codes_and_round_trips",
    "tests/cli/test_serve.py",
    "tests/cli/test_streams.py",
    "tests/cli/test_train.py::test_sigterm_saves_the_run_of_a_real_process",
    "tests/cli/test_train.py::test_trains_and_goes_on",
    "tests/cli/test_train_lm.py::test_codes_may_lie_elsewhere",
    "tests/cli/test_train_lm.py::test_trains_and_goes_on",
    "tests/cli/test_tts.py::test_a_folder_of_texts_and_resuming",
    "tests/cli/test_tts.py::test_what_the_model_never_read_is_named",
    "tests/cli/test_verify.py",
    "tests/cli/test_workers.py",
    "tests/conformance/test_command.py",
    "tests/conformance/test_command.py::test_a_program_may_skip_and_leave_out",
    "tests/conformance/test_kit.py",
    "tests/conformance/test_ports.py",
    "tests/corpus/test_object_store.py",
    "tests/corpus/test_ray.py",
    "tests/corpus/test_reading.py::test_what_kills_its_reader_is_a_failure_of_its_own",
    "tests/corpus/test_reading.py::test_workers_read_what_is_read_here",
    "tests/corpus/test_robustness.py",
    "tests/data/test_fuzz.py::test_entries",
    "tests/evaluation/metrics/test_naturalness.py",
    "tests/evaluation/metrics/test_speaker.py::test_equals_resemblyzer",
    "tests/evaluation/metrics/test_spectral.py::test_equals_librosa",
    "tests/evaluation/report/test_browser.py",
    "tests/evaluation/run/test_evaluate.py",
    "tests/evaluation/run/test_resuming.py",
    "tests/evaluation/systems/test_codec2.py::test_modes",
    "tests/evaluation/systems/test_peers.py::test_settings",
    "tests/evaluation/transcribers/test_whisper.py",
    "tests/export/test_speech.py",
    "tests/extend/",
    "tests/hf/test_tts.py",
    "tests/integration/",
    "tests/io/test_files.py::test_what_a_killed_process_left_is_removed_by_the_next_one",
    "tests/io/test_hostile_cat_file.py::test_what_is_no_whole_file_is_a_value_error",
    "tests/lm/asr/test_continuous.py::test_pieces_in_company_give_what_they_give_alone",
    "tests/lm/asr/test_recognizer.py::test_a_model_that_learnt_two_recordings_tells_them_apart",
    "tests/lm/test_hostile_folder.py::test_any_config_loads_or_is_a_value_error",
    "tests/lm/test_shipped.py",
    "tests/lm/tts/test_synthesizer.py::test_released_folders_need_only_the_codec",
    "tests/modules/test_residual_quantizer.py::test_export_traces_codes_and_latents",
    "tests/recipes/",
    "tests/research/",
    "tests/serving/test_browser.py",
    "tests/serving/test_page.py",
    "tests/serving/test_players.py",
    "tests/serving/test_server.py",
    "tests/serving/test_speech.py::test_references_in_every_shape_are_the_same_voice",
    "tests/serving/test_speech.py::test_sixteen_at_a_time_get_what_each_gets_alone",
    "tests/serving/test_transcriptions.py::test_many_at_a_time_get_what_each_gets_alone",
    "tests/serving/test_voice_agents.py",
    "tests/test_documentation.py",
    "tests/test_examples.py",
    "tests/test_imports.py",
    "tests/test_references.py::test_command_lines_parse",
    "tests/test_tutorial.py",
    "tests/test_worker_pool.py",
    "tests/tokenizer/test_compile.py",
    "tests/tokenizer/test_config.py::test_presets_have_the_published_parameters",
    "tests/tokenizer/test_hostile_folder.py::test_any_config_loads_or_is_a_value_error",
    "tests/training/codec/data/test_buckets.py::test_short_recordings_fill_a_batch_far_below_max_seconds",
    "tests/training/codec/data/test_source.py::test_prefetched_batches_are_those_of_the_steps",
    "tests/training/codec/semantic/test_shipped.py",
    "tests/training/codec/semantic/test_transcribe.py::test_learns_a_few_texts",
    "tests/training/codec/test_hostile_folder.py::test_any_discriminators_load_or_are_a_value_error",
    "tests/training/codec/test_hostile_folder.py::test_discriminators_are_no_larger_than_their_file",
    "tests/training/codec/test_learner.py::test_discriminators_learn",
    "tests/training/codec/test_mel.py::test_filters_are_librosas",
    "tests/training/codec/test_mel.py::test_mel_magnitudes_are_librosas",
    "tests/training/codec/test_trainer.py",
    "tests/training/engine/test_checkpoint.py::test_a_state_that_does_not_fit_is_refused",
    "tests/training/engine/test_checkpoint.py::test_killed_while_saving",
    "tests/training/engine/test_distributed.py",
    "tests/training/lm/test_distributed.py",
    "tests/training/lm/test_trainer.py",
    "tests/web/",
)


def pytest_configure(config: pytest.Config) -> None:
    """No property is timed; in the quick part those that do not say how many examples have few."""
    quick = {"max_examples": 20} if config.option.markexpr == "not slow" else {}
    settings.register_profile("catok", deadline=None, **quick)
    settings.load_profile("catok")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests."""
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker(pytest.mark.slow)


EXPECTED_SKIPS = (
    "GPU",  # no accelerator here
    "ray[serve]",  # it brings an event loop and 25 packages that nothing else here wants
    "piper",  # synthetic voices of a research corpus, hundreds of megabytes
    "npm packages",  # a machine without npm
    "make clients",  # the clients of voice agents, where their packages cannot be had
    "pytorch_optimizer",  # optimizers that one search compares
)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under CI, where all programs and extras are installed, an unexpected skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    reasons = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    unexpected = [text for text in reasons if not any(word in text for word in EXPECTED_SKIPS)]
    for text in unexpected:
        reporter.write_line(f"skipped unexpectedly: {text}", red=True)
    if unexpected:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
