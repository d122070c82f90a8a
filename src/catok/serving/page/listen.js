// Speech to text: the microphone as it hears, or a file.

import { listen, toBase64, toPcm } from "./audio.js";
import { open, request } from "./server.js";

const ITEM = "conversation.item.input_audio_transcription.";
const at = (id) => document.getElementById(id);
const say = (text) => (at("listen-status").textContent = text);

let running;

function hear(message) {
  if (message.type === "input_audio_buffer.speech_started") {
    at("transcript").append(document.createElement("p"));
  }
  const line = at("transcript").lastElementChild;
  if (message.type === `${ITEM}delta` && line) line.textContent += message.delta;
  if (message.type === `${ITEM}completed` && line) {
    line.textContent = message.transcript || "(no words)";
    at("transcript").scrollTop = at("transcript").scrollHeight;
  }
}

async function start() {
  const socket = open("v1/realtime?intent=transcription", hear);
  await socket.opened;
  const stop = await listen((piece) => {
    socket.send({ type: "input_audio_buffer.append", audio: toBase64(toPcm(piece)) });
  });
  running = { socket, stop };
  say("Listening.");
  socket.closed.then(() => say("Stopped."), (error) => say(error.message)).finally(end);
}

function end() {
  running?.stop();
  running = undefined;
  show();
}

function show() {
  const on = Boolean(running);
  at("listen").setAttribute("aria-pressed", String(on));
  at("listen").textContent = on ? "Stop the microphone" : "Start the microphone";
}

async function transcribe(file) {
  say("Reading ...");
  const form = new FormData();
  form.append("file", file);
  const answer = await request("v1/audio/transcriptions", { method: "POST", body: form });
  const line = document.createElement("p");
  line.textContent = (await answer.json()).text || "(no words)";
  at("transcript").append(line);
  say(`Written down: ${file.name}.`);
}

export function setUpListen() {
  at("listen").onclick = async () => {
    try {
      if (running) {
        const { socket } = running;
        running.stop();
        socket.send({ type: "input_audio_buffer.commit" });
        socket.send({ type: "session.close" });
      } else {
        await start();
      }
    } catch (error) {
      say(error.message);
    }
    show();
  };
  at("listen-file").onchange = () => {
    const [file] = at("listen-file").files;
    if (file) transcribe(file).catch((error) => say(error.message));
  };
}
