// The tokenizer: streams of audio to codes and back. The work is done in worker.js.

export class Tokenizer {
  #worker = new Worker("worker.js", { type: "module" });
  #waiting = new Map();
  #calls = 0;
  #streams = 0;

  // `folder`: one that `catok export` wrote.
  static async load(folder) {
    const tokenizer = new Tokenizer();
    tokenizer.description = await (await fetch(`${folder}/onnx.json`)).json();
    await tokenizer.#call("load", { folder, description: tokenizer.description });
    return tokenizer;
  }

  constructor() {
    this.#worker.onmessage = ({ data: { id, value, error } }) => {
      const { done, fail } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) done(value);
      else fail(new Error(error));
    };
    this.#worker.onerror = ({ message }) => {
      this.#waiting.forEach(({ fail }) => fail(new Error(message || "the worker does not start")));
      this.#waiting.clear();
    };
  }

  streamEncoder() {
    return new StreamEncoder(this.#stream("encode_step"), this.description);
  }

  streamDecoder() {
    return new StreamDecoder(this.#stream("decode_step"));
  }

  close() {
    this.#worker.terminate();
  }

  // A stream's step and end; `milliseconds` is the time spent in its steps.
  #stream(graph) {
    const stream = this.#streams++;
    const begun = this.#call("begin", { stream, graph });
    const mine = {
      milliseconds: 0,
      step: async (value) => {
        await begun;
        const { output, milliseconds } = await this.#call("step", { stream, value });
        mine.milliseconds += milliseconds;
        return output;
      },
      end: () => this.#call("end", { stream }),
    };
    return mine;
  }

  #call(name, given) {
    const id = this.#calls++;
    return new Promise((done, fail) => {
      this.#waiting.set(id, { done, fail });
      this.#worker.postMessage({ id, name, given });
    });
  }
}

class StreamEncoder {
  #stream;
  #frameSize;
  #rest = new Float32Array(); // samples that fill no frame yet
  samples = 0;

  constructor(stream, { frame_size }) {
    this.#stream = stream;
    this.#frameSize = frame_size;
  }

  get milliseconds() {
    return this.#stream.milliseconds;
  }

  // Any number of samples; the codes [K][n] of the frames completed, or [] if there are none.
  async push(piece) {
    this.samples += piece.length;
    const all = new Float32Array(this.#rest.length + piece.length);
    all.set(this.#rest);
    all.set(piece, this.#rest.length);
    const whole = all.length - (all.length % this.#frameSize);
    this.#rest = all.slice(whole);
    return whole ? this.#stream.step(all.slice(0, whole)) : [];
  }

  // The codes of the last, partial frame.
  async flush() {
    const last = new Float32Array(this.#frameSize);
    last.set(this.#rest);
    return this.#rest.length ? this.#stream.step(last) : [];
  }

  // Lets go of the state.
  end() {
    return this.#stream.end();
  }
}

class StreamDecoder {
  #stream;

  constructor(stream) {
    this.#stream = stream;
  }

  get milliseconds() {
    return this.#stream.milliseconds;
  }

  // Codes [k][n] of the first k codebooks to n frames of samples.
  push(codes) {
    return this.#stream.step(codes);
  }

  end() {
    return this.#stream.end();
  }
}
