// Puts the page together.

import { setUpListen } from "./listen.js";
import { request } from "./server.js";
import { listVoices, setUpSpeak } from "./speak.js";
import { setUpTokenizer } from "./tokenizer.js";

const KINDS = { codec: "Tokenizer", speech: "Speech", transcription: "Recognition", session: "WebSockets" };
const at = (id) => document.getElementById(id);

async function showModels() {
  const { data } = await (await request("v1/models")).json();
  at("models").textContent = data.map((model) => model.id).join(", ");
}

async function showLoad() {
  const text = await (await request("metrics")).text();
  const figure = (name, kind) =>
    text.match(new RegExp(`^catok_requests_${name}\\{kind="${kind}"\\} (.*)$`, "m"))?.[1] ?? "";
  const rows = Object.entries(KINDS).map(([kind, name]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    const cells = ["active", "waiting"].map((each) => {
      const cell = document.createElement("td");
      cell.textContent = String(Number(figure(each, kind)));
      return cell;
    });
    row.append(head, ...cells);
    return row;
  });
  at("load").replaceChildren(...rows);
}

const quietly = (work) => work().catch((error) => (at("models").textContent = error.message));

setUpSpeak();
setUpListen();
setUpTokenizer();
const refresh = () => [showModels, listVoices].forEach(quietly);
at("key").onchange = refresh;
refresh();
quietly(showLoad);
setInterval(() => document.hidden || quietly(showLoad), 2000);
