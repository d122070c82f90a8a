// The page: a recording or the microphone to codes, codes to sound at any bitrate, and .cat files.

import { RATE, joined, listen, readFile, toWav } from "./page/audio.js";
import { readCat, writeCat } from "./page/cat-file.js";
import { acceptDrops } from "./page/drop.js";
import { drawCodes, drawSpectrogram } from "./page/plots.js";
import { Tokenizer } from "./tokenizer.js";

const STEP = 12; // frames of a file that are worked on at once, about a second
const LATEST = 125; // frames that are shown while they come, ten seconds
const at = (id) => document.getElementById(id);
const say = (text) => (at("status").textContent = text);
const size = (bytes) => (bytes < 1000 ? `${bytes} bytes` : `${(bytes / 1000).toFixed(1)} kB`);

export let tokenizer;
export let samples; // of the original, at RATE; undefined where only codes are known
export let encoded; // codes [K][F] and what they are of, as readCat gives it
let stopListening; // while the microphone runs
let job = 0; // only the newest shows what it finds

async function load() {
  job++;
  enable(false);
  say("Loading the model ...");
  try {
    const loaded = await Tokenizer.load(`models/${at("dtype").value}`);
    tokenizer?.close();
    tokenizer = loaded;
  } finally {
    at("dtype").disabled = false;
  }
  enable(true);
  showBitrate();
  say(`Ready: ${tokenizer.description.model_id} with ${at("dtype").selectedOptions[0].text}.`);
  if (samples) await encode("The recording", cut(samples));
  else if (encoded) await decode();
}

function enable(yes) {
  for (const name of ["source", "record", "dtype"]) at(name).disabled = !yes;
}

// Codes are shown as they come. `pieces`: of samples, iterable. `heard` is called when all have come.
async function encode(name, pieces, heard = () => {}) {
  const mine = ++job;
  encoded = undefined;
  at("cat-file").hidden = true;
  const { num_quantizers, model_id, weight_hash, ...sizes } = tokenizer.description;
  const { sample_rate, channels, frame_size, codebook_size } = sizes;
  at("bitrate").max = num_quantizers;
  showBitrate();
  const stream = tokenizer.streamEncoder();
  const codes = Array.from({ length: num_quantizers }, () => []);
  const add = (rows) => {
    rows.forEach((row, k) => codes[k].push(...row));
    show(codes.map((row) => row.slice(-LATEST)), codes[0].length);
  };
  try {
    for await (const piece of pieces) {
      add(await stream.push(piece));
      if (mine !== job) return;
    }
    add(await stream.flush());
  } finally {
    stream.end();
  }
  if (mine !== job) return;
  if (!stream.samples) throw new Error("Nothing was heard.");
  heard();
  const facts = { sample_rate, channels, frame_size, codebook_size, model_id, weight_hash };
  encoded = { codes, samples: stream.samples, ...facts };
  const seconds = stream.milliseconds / 1000;
  say(`${name}: ${(stream.samples / RATE).toFixed(1)} s, encoded in ${seconds.toFixed(1)} s.`);
  await decode();
}

function* cut(whole) {
  const length = STEP * tokenizer.description.frame_size;
  for (let start = 0; start < whole.length; start += length) {
    yield whole.subarray(start, start + length);
  }
}

function show(codes, frames, depth) {
  const { codebook_size, frame_rate } = tokenizer.description;
  drawCodes(at("codes"), codes, codebook_size, depth);
  const seconds = (frames / frame_rate).toFixed(1);
  at("heard").textContent = `${frames} frames of ${codes.length} codes, ${seconds} s`;
}

const depth = () => Number(at("bitrate").value);

// The codes that the slider leaves, as sound and as a file.
async function decode() {
  const mine = ++job;
  at("bitrate").max = encoded.codes.length;
  showBitrate();
  show(encoded.codes, encoded.codes[0].length, depth());
  const some = { ...encoded, codes: encoded.codes.slice(0, depth()) };
  const bytes = writeCat(some);
  URL.revokeObjectURL(at("cat-file").href);
  at("cat-file").href = URL.createObjectURL(new Blob([bytes]));
  at("cat-file").hidden = false;
  const stream = tokenizer.streamDecoder();
  const sound = [];
  try {
    for (let start = 0; start < some.codes[0].length; start += STEP) {
      sound.push(await stream.push(some.codes.map((row) => row.slice(start, start + STEP))));
      if (mine !== job) return;
    }
  } finally {
    stream.end();
  }
  play("decoded", joined(sound).subarray(0, some.samples));
  const smaller = Math.round((2 * some.samples) / bytes.length);
  at("decoded-size").textContent = `from ${size(bytes.length)}, ${smaller} times less`;
}

function showBitrate() {
  const { codebook_size, frame_rate } = tokenizer.description;
  const rate = (depth() * Math.log2(codebook_size) * frame_rate) / 1000;
  const text = `${rate.toFixed(3)} kbit/s, ${depth()} ${depth() > 1 ? "codebooks" : "codebook"}`;
  at("bitrate-shown").textContent = text;
  at("bitrate").setAttribute("aria-valuetext", text);
}

function play(name, sound) {
  URL.revokeObjectURL(at(name).src);
  at(name).src = URL.createObjectURL(toWav(sound));
  drawSpectrogram(at(`${name}-spectrogram`), sound);
}

function setOriginal(heard, bytes) {
  samples = heard;
  at("original-figure").hidden = !samples;
  if (!samples) return;
  play("original", samples);
  at("original-size").textContent = `${size(2 * samples.length)} in 16 bits${bytes ? `, the file ${size(bytes)}` : ""}`;
}

async function take(file) {
  if (!file) return;
  if (file.name.toLowerCase().endsWith(".cat")) {
    await takeCodes(file);
    return;
  }
  const heard = await readFile(file).catch(() => {
    throw new Error(`${file.name} is no audio that this browser reads.`);
  });
  setOriginal(heard, file.size);
  say(`Encoding ${file.name} ...`);
  await encode(file.name, cut(samples));
}

async function takeCodes(file) {
  const read = readCat(new Uint8Array(await file.arrayBuffer()));
  const { model_id, weight_hash, ...facts } = tokenizer.description;
  const sizes = ["sample_rate", "channels", "frame_size", "codebook_size"];
  const same = sizes.every((name) => read[name] === facts[name]);
  if (!same || (read.weight_hash && read.weight_hash !== weight_hash)) {
    const other = read.model_id || "another model";
    throw new Error(`${file.name} holds codes of ${other}, which this ${model_id} cannot decode.`);
  }
  encoded = read;
  setOriginal(undefined);
  at("bitrate").max = at("bitrate").value = read.codes.length;
  await decode();
  say(`Decoded ${file.name}.`);
}

async function record() {
  if (stopListening) {
    stopListening();
    return;
  }
  const parts = [];
  let pieces;
  const stream = new ReadableStream({ start: (controller) => (pieces = controller) });
  const stop = await listen((piece) => {
    parts.push(piece);
    pieces.enqueue(piece);
  }).catch((error) => {
    throw new Error(`No microphone: ${error.message}`);
  });
  stopListening = () => {
    stop();
    pieces.close();
    stopListening = undefined;
    showRecording();
  };
  showRecording();
  say("Listening.");
  try {
    await encode("The recording", read(stream), () => setOriginal(joined(parts)));
  } finally {
    stopListening?.();
  }
}

async function* read(stream) {
  const reader = stream.getReader();
  for (let next; !(next = await reader.read()).done; ) yield next.value;
}

function showRecording() {
  at("dtype").disabled = Boolean(stopListening);
  at("record").setAttribute("aria-pressed", String(Boolean(stopListening)));
}

const safely = (work) => (...given) => work(...given).catch((error) => say(error.message));

at("dtype").onchange = safely(load);
at("source").onchange = safely(() => take(at("source").files[0]));
at("record").onclick = safely(record);
at("bitrate").oninput = showBitrate;
at("bitrate").onchange = safely(async () => encoded && decode());
acceptDrops(at("drop"), safely(async (file) => at("source").disabled || take(file)));
safely(load)();
