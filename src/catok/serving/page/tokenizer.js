// Audio to codes and back, at any bitrate.

import { RATE, readFile, toWav } from "./audio.js";
import { drawCodes, drawSpectrogram } from "./plots.js";
import { request } from "./server.js";
import { setUpRecorder } from "./speak.js";

const at = (id) => document.getElementById(id);
const say = (text) => (at("tokenizer-status").textContent = text);

let encoded; // the answer of encode: codes and what they are of
let newest = 0;

const bits = () => Math.log2(encoded.codebook_size) * (encoded.sample_rate / encoded.frame_size);

function showBitrate() {
  const depth = Number(at("bitrate").value);
  const text = encoded ? `${((depth * bits()) / 1000).toFixed(3)} kbit/s, ` : "";
  at("bitrate-shown").textContent = `${text}${depth} codebooks`;
}

async function take(samples, name) {
  at("original").src = URL.createObjectURL(toWav(samples));
  at("original-size").textContent = size(2 * samples.length);
  drawSpectrogram(at("original-spectrogram"), samples);
  say(`Encoding ${name} ...`);
  const form = new FormData();
  form.append("file", toWav(samples), "audio.wav");
  const path = "v1/audio/encode?response_format=json";
  encoded = await (await request(path, { method: "POST", body: form })).json();
  at("bitrate").max = encoded.num_quantizers;
  at("bitrate").value = encoded.num_quantizers;
  const seconds = (samples.length / RATE).toFixed(1);
  say(`${name}: ${seconds} s, ${encoded.codes[0].length} frames of ${encoded.num_quantizers} codes.`);
  await decode();
}

async function decode() {
  showBitrate();
  if (!encoded) return;
  const mine = ++newest; // only the last answer is shown
  const depth = Number(at("bitrate").value);
  drawCodes(at("codes"), encoded.codes, encoded.codebook_size, depth);
  const some = { ...encoded, codes: encoded.codes.slice(0, depth) };
  const sent = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(some),
  };
  const wav = await (await request("v1/audio/decode", sent)).blob();
  if (mine !== newest) return;
  await hear(wav);
  const bytes = Math.ceil((depth * encoded.codes[0].length * Math.log2(encoded.codebook_size)) / 8);
  at("decoded-size").textContent = `from ${size(bytes)} of codes`;
}

async function hear(wav) {
  at("decoded").src = URL.createObjectURL(wav);
  drawSpectrogram(at("decoded-spectrogram"), await readFile(wav));
}

async function download(event) {
  event.preventDefault();
  const depth = Number(at("bitrate").value);
  const form = new FormData();
  form.append("file", await (await fetch(at("original").src)).blob(), "audio.wav");
  const path = `v1/audio/encode?num_quantizers=${depth}`;
  const answer = await request(path, { method: "POST", body: form });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = "audio.cat";
  link.click();
}

async function takeFile(file) {
  if (file.name.endsWith(".cat")) {
    encoded = undefined;
    at("original").removeAttribute("src");
    at("original-size").textContent = "";
    drawSpectrogram(at("original-spectrogram"), new Float32Array());
    drawCodes(at("codes"), [], 1);
    await hear(await (await request("v1/audio/decode", { method: "POST", body: file })).blob());
    at("decoded-size").textContent = `from ${size(file.size)}`;
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
  at("cat-file").onclick = safely(download);
  at("cat-file").href = "#";
  const drop = at("drop");
  drop.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = safely(async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    await takeFile(event.dataTransfer.files[0]);
  });
  showBitrate();
}
