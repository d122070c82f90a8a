// Sound: files, the microphone, and a player of pieces that are still being made.

export const RATE = 24000;

let shared;

export const context = () => (shared ??= new AudioContext({ sampleRate: RATE }));

// Samples of one channel, at RATE.
export async function readFile(file) {
  const buffer = await context().decodeAudioData(await file.arrayBuffer());
  const mixed = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    buffer.getChannelData(channel).forEach((value, i) => {
      mixed[i] += value / buffer.numberOfChannels;
    });
  }
  return mixed;
}

export function fromPcm(bytes) {
  return Float32Array.from(new Int16Array(bytes), (value) => value / 32768);
}

export function toPcm(samples) {
  const clipped = (value) => Math.round(32767 * Math.max(-1, Math.min(1, value)));
  return Int16Array.from(samples, clipped).buffer;
}

export function joined(parts) {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

// A WAV file of 16-bit samples.
export function toWav(samples) {
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, letters) =>
    [...letters].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  const size = 2 * samples.length;
  text(0, "RIFF");
  header.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  [16, RATE, 2 * RATE].forEach((value, i) => header.setUint32([16, 24, 28][i], value, true));
  [1, 1, 2, 16].forEach((value, i) => header.setUint16([20, 22, 32, 34][i], value, true));
  text(36, "data");
  header.setUint32(40, size, true);
  return new Blob([header, toPcm(samples)], { type: "audio/wav" });
}

export function toBase64(buffer) {
  const bytes = new Uint8Array(buffer);
  let letters = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    letters += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(letters);
}

// Plays pieces one after the other, each as soon as the one before has ended.
export class Player {
  #next = 0;
  #nodes = new Set();

  push(samples) {
    if (!samples.length) return;
    const buffer = context().createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(samples, 0);
    const node = context().createBufferSource();
    node.buffer = buffer;
    node.connect(context().destination);
    this.#next = Math.max(this.#next, context().currentTime + 0.05);
    node.start(this.#next);
    this.#next += buffer.duration;
    this.#nodes.add(node);
    node.onended = () => this.#nodes.delete(node);
  }

  stop() {
    this.#nodes.forEach((node) => node.stop());
    this.#nodes.clear();
  }
}

// The microphone at RATE: `hear` is given its pieces, until the function returned is called.
export async function listen(hear) {
  await context().resume();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  await context().audioWorklet.addModule("page/capture.js");
  const source = context().createMediaStreamSource(stream);
  const node = new AudioWorkletNode(context(), "capture", { numberOfOutputs: 0 });
  node.port.onmessage = ({ data }) => hear(data);
  source.connect(node);
  return () => {
    node.port.onmessage = null; // pieces may still be under way
    source.disconnect();
    stream.getTracks().forEach((track) => track.stop());
  };
}
