// Text to speech, heard and drawn while it is made.

import { Player, RATE, context, fromPcm, joined, listen, readFile, toBase64, toWav } from "./audio.js";
import { drawCodes, drawWave } from "./plots.js";
import { open, request } from "./server.js";

const LONGEST = 10; // seconds of a voice
const at = (id) => document.getElementById(id);
const say = (text) => (at("speak-status").textContent = text);

let reference; // samples of a voice
let speaking;

export async function listVoices() {
  const { voices } = await (await request("v1/audio/voices")).json();
  at("voice").replaceChildren(...voices.map((name) => new Option(name)));
}

async function speak() {
  await context().resume();
  const [player, parts, codes] = [new Player(), [], []];
  const begun = performance.now();
  let first;
  const hear = (message) => {
    if (message instanceof ArrayBuffer) {
      first ??= performance.now() - begun;
      parts.push(fromPcm(message));
      player.push(parts.at(-1));
      drawWave(at("speak-wave"), joined(parts));
    } else if (message.type === "codes") {
      message.codes.forEach((row, k) => (codes[k] ??= []).push(...row));
      drawCodes(at("speak-codes"), codes, message.codebook_size);
    } else if (message.type === "session.done") {
      socket.send({ type: "session.close" });
    }
  };
  const socket = open("v1/audio/speech/stream", hear);
  speaking = { socket, player };
  await socket.opened;
  const config = { type: "session.config", sample_rate: RATE, codes: true };
  const depth = Number(at("depth").value);
  const seed = Number(at("seed").value);
  const voice = reference ? { ref_audio: await asData(reference) } : { voice: at("voice").value };
  socket.send({ ...config, ...voice, seed, num_quantizers: depth });
  socket.send({ type: "input.text", text: at("text").value });
  socket.send({ type: "input.done" });
  await socket.closed;
  const whole = joined(parts);
  const seconds = whole.length / RATE;
  at("speech-file").href = URL.createObjectURL(toWav(whole));
  at("speech-file").hidden = false;
  say(`${seconds.toFixed(1)} s of speech, the first after ${Math.round(first ?? 0)} ms.`);
}

async function asData(samples) {
  const bytes = await toWav(samples.subarray(0, LONGEST * RATE)).arrayBuffer();
  return `data:audio/wav;base64,${toBase64(bytes)}`;
}

function busy(yes) {
  at("stop").disabled = !yes;
  at("speak").querySelector("[type=submit]").disabled = yes;
}

export function setUpSpeak() {
  at("speak").onsubmit = async (event) => {
    event.preventDefault();
    busy(true);
    say("Speaking ...");
    try {
      await speak();
    } catch (error) {
      say(error.message);
    }
    busy(false);
  };
  at("stop").onclick = () => {
    speaking.player.stop();
    speaking.socket.close();
  };
  at("reference").onchange = async () => {
    const [file] = at("reference").files;
    reference = file && (await readFile(file).catch(() => undefined));
    say(reference ? `Speaks in the voice of ${file.name}.` : "This file is no audio that the browser reads.");
  };
  setUpRecorder("record-voice", (samples) => {
    reference = samples;
    say(`Speaks in the voice just recorded, ${(samples.length / RATE).toFixed(1)} s.`);
  }, say);
}

// A button that records from one press to the next.
export function setUpRecorder(id, take, complain) {
  let stop;
  let parts = [];
  at(id).onclick = async () => {
    try {
      if (stop) {
        stop();
        stop = undefined;
        take(joined(parts));
      } else {
        parts = [];
        stop = await listen((piece) => parts.push(piece));
      }
    } catch (error) {
      complain(`No microphone: ${error.message}`);
    }
    at(id).setAttribute("aria-pressed", String(Boolean(stop)));
  };
}
