// A step graph of `catok export` in onnxruntime: one stream's next frames, and its state (docs/onnx.md).

import * as ort from "./onnxruntime/ort.wasm.bundle.min.mjs";

ort.env.wasm.numThreads = 1; // more need headers that a static host may not send

export class StepGraph {
  #session;
  #layers;

  static async load(folder, description, name) {
    const { file, state } = description.graphs[name];
    const answer = await fetch(`${folder}/${file}`);
    if (!answer.ok) throw new Error(`${file}: ${answer.status} ${answer.statusText}`);
    const graph = new StepGraph();
    graph.#session = await ort.InferenceSession.create(await answer.arrayBuffer());
    graph.#layers = state;
    return graph;
  }

  // Of a stream that has not begun: what the next step is given beside its audio or codes.
  initialState() {
    const state = {
      positions: new ort.Tensor("int64", new BigInt64Array(1), [1]),
      active: new ort.Tensor("bool", new Uint8Array([1]), [1]),
    };
    this.#layers.forEach(({ heads, slots, head_dim }, layer) => {
      for (const kind of ["key", "value"]) {
        const zeros = new Float32Array(heads * slots * head_dim);
        const ring = new ort.Tensor("float32", zeros, [1, heads, slots, head_dim]);
        state[`past_key_values.${layer}.${kind}`] = ring;
      }
    });
    return state;
  }

  // Audio (Float32Array of n frames) to codes ([K][n]), or codes to audio; and the next state.
  async step(value, state) {
    const input = value instanceof Float32Array
      ? { audio: new ort.Tensor("float32", value, [1, 1, value.length]) }
      : { codes: codesTensor(value) };
    const { audio, codes, new_positions, ...present } = await this.#session.run({ ...state, ...input });
    const next = { ...state, positions: new_positions };
    for (const [name, ring] of Object.entries(present)) {
      next[name.replace("present.", "past_key_values.")] = ring;
    }
    return [audio ? audio.data : codesRows(codes), next];
  }
}

function codesTensor(codes) {
  const flat = BigInt64Array.from(codes.flat(), BigInt);
  return new ort.Tensor("int64", flat, [1, codes.length, codes[0].length]);
}

function codesRows({ data, dims: [, codebooks, frames] }) {
  const row = (k) => Array.from(data.subarray(k * frames, (k + 1) * frames), Number);
  return Array.from({ length: codebooks }, (_, k) => row(k));
}
