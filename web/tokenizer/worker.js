// The models, away from the page's thread. A call is { id, name, given }, an answer { id, value } or { id, error }.

import { StepGraph } from "./step-graph.js";

const graphs = {};
const streams = new Map();

const calls = {
  async load({ folder, description }) {
    for (const name of ["encode_step", "decode_step"]) {
      graphs[name] = await StepGraph.load(folder, description, name);
    }
  },
  begin({ stream, graph }) {
    streams.set(stream, { graph: graphs[graph], state: graphs[graph].initialState() });
  },
  async step({ stream, value }) {
    const mine = streams.get(stream);
    const begun = performance.now();
    const [output, state] = await mine.graph.step(value, mine.state);
    mine.state = state;
    return { output, milliseconds: performance.now() - begun };
  },
  end({ stream }) {
    streams.delete(stream);
  },
};

let before = Promise.resolve(); // one call after the other: a session runs one step at a time

onmessage = ({ data: { id, name, given } }) => {
  before = before.then(async () => {
    try {
      postMessage({ id, value: await calls[name](given) });
    } catch (error) {
      postMessage({ id, error: error.message });
    }
  });
};
