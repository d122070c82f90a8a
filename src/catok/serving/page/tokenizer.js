// Audio to codes and back, at any bitrate.

import { RATE, readFile, toWav } from "./audio.js";
import { readCat, writeCat } from "./cat-file.js";
import { acceptDrops } from "./drop.js";
import { drawCodes, drawSpectrogram } from "./plots.js";
import { request } from "./server.js";
import { setUpRecorder } from "./speak.js";

const at = (id) => document.getElementById(id);
const say = (text) => (at("tokenizer-status").textContent = text);

let encoded; // codes [K][F] and what they are of, as readCat gives it
let newest = 0;

const bits = () => Math.log2(encoded.codebook_size) * (encoded.sample_rate / encoded.frame_size);

function showBitrate() {
  const depth = Number(at("bitrate").value);
  const text = encoded ? `${((depth * bits()) / 1000).toFixed(3)} kbit/s, ` : "";
  at("bitrate-shown").textContent = `${text}${depth} codebooks`;
}

async function take(samples, name) {
  at("original-figure").hidden = false;
  at("original").src = URL.createObjectURL(toWav(samples));
  at("original-size").textContent = size(2 * samples.length);
  drawSpectrogram(at("original-spectrogram"), samples);
  say(`Encoding ${name} ...`);
  const form = new FormData();
  form.append("file", toWav(samples), "audio.wav");
  const path = "v1/audio/encode?response_format=json";
  const { model, ...facts } = await (await request(path, { method: "POST", body: form })).json();
  encoded = { ...facts, model_id: model };
  at("bitrate").max = at("bitrate").value = encoded.codes.length;
  const seconds = (samples.length / RATE).toFixed(1);
  say(`${name}: ${seconds} s, ${encoded.codes[0].length} frames of ${encoded.codes.length} codes.`);
  await decode();
}

async function decode() {
  showBitrate();
  if (!encoded) return;
  const mine = ++newest; // only the last answer is shown
  const depth = Number(at("bitrate").value);
  drawCodes(at("codes"), encoded.codes, encoded.codebook_size, depth);
  const some = { ...encoded, codes: encoded.codes.slice(0, depth) };
  const bytes = writeCat(some);
  URL.revokeObjectURL(at("cat-file").href);
  at("cat-file").href = URL.createObjectURL(new Blob([bytes]));
  const sent = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(some),
  };
  const wav = await (await request("v1/audio/decode", sent)).blob();
  if (mine !== newest) return;
  await hear(wav);
  at("decoded-size").textContent = `from ${size(bytes.length)}`;
}

async function hear(wav) {
  at("decoded").src = URL.createObjectURL(wav);
  drawSpectrogram(at("decoded-spectrogram"), await readFile(wav));
}

async function takeFile(file) {
  if (!file) return;
  if (file.name.endsWith(".cat")) {
    encoded = readCat(new Uint8Array(await file.arrayBuffer()));
    at("original-figure").hidden = true;
    at("bitrate").max = at("bitrate").value = encoded.codes.length;
    await decode();
    say(`Decoded ${file.name}.`);
    return;
  }
  const samples = await readFile(file).catch(() => {
    throw new Error(`${file.name} is no audio that the browser reads`);
  });
  await take(samples, file.name);
}

const size = (bytes) => (bytes < 1000 ? `${bytes} bytes` : `${(bytes / 1000).toFixed(1)} kB`);

const safely = (work) => async (...given) => {
  try {
    await work(...given);
    at("cat-file").hidden = !encoded;
  } catch (error) {
    say(error.message);
  }
};

export function setUpTokenizer() {
  at("source").onchange = safely(() => takeFile(at("source").files[0]));
  setUpRecorder("record", safely((samples) => take(samples, "The recording")), say);
  at("bitrate").oninput = showBitrate;
  at("bitrate").onchange = safely(decode);
  acceptDrops(at("drop"), safely(takeFile));
  showBitrate();
}
