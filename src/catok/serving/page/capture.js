// Pieces of 80 ms from the microphone to the page.

const SIZE = 1920;

class Capture extends AudioWorkletProcessor {
  #piece = new Float32Array(SIZE);
  #filled = 0;

  process([[input]]) {
    for (const value of input ?? []) {
      this.#piece[this.#filled++] = value;
      if (this.#filled === SIZE) {
        this.port.postMessage(this.#piece.slice());
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
