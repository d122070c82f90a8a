// Pictures: waveform, codes, spectrogram. Colors go from dark to light, as in print.

function prepared(canvas) {
  canvas.width = canvas.clientWidth * (devicePixelRatio || 1);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  return pen;
}

const accent = () => getComputedStyle(document.body).getPropertyValue("--accent");

export function drawWave(canvas, samples) {
  const pen = prepared(canvas);
  const { width, height } = canvas;
  pen.fillStyle = accent();
  for (let x = 0; x < width; x++) {
    const start = Math.floor((x * samples.length) / width);
    const end = Math.max(start + 1, Math.floor(((x + 1) * samples.length) / width));
    let peak = 0;
    for (let i = start; i < end && i < samples.length; i++) {
      peak = Math.max(peak, Math.abs(samples[i]));
    }
    const tall = Math.max(1, peak * height);
    pen.fillRect(x, (height - tall) / 2, 1, tall);
  }
}

const color = (value) => `hsl(${260 - 200 * value} 70% ${18 + 62 * value}%)`;

// Codes [K][F]; those from `depth` on are pale: they are not used.
export function drawCodes(canvas, codes, size, depth = codes.length) {
  const pen = prepared(canvas);
  if (!codes.length || !codes[0].length) return;
  const [wide, tall] = [canvas.width / codes[0].length, canvas.height / codes.length];
  codes.forEach((row, k) => {
    pen.globalAlpha = k < depth ? 1 : 0.15;
    row.forEach((code, f) => {
      pen.fillStyle = color(code / size);
      pen.fillRect(f * wide, k * tall, wide + 0.5, tall + 0.5);
    });
  });
  pen.globalAlpha = 1;
}

const SIZE = 512;
const window_ = Float32Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));

// Magnitudes of the lower half of a Fourier transform (radix 2, in place).
function magnitudes(frame) {
  const re = frame.slice();
  const im = new Float32Array(SIZE);
  for (let i = 1, j = 0; i < SIZE; i++) {
    let bit = SIZE >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j]] = [re[j], re[i]];
  }
  for (let half = 1; half < SIZE; half *= 2) {
    for (let k = 0; k < half; k++) {
      const [cos, sin] = [Math.cos((-Math.PI * k) / half), Math.sin((-Math.PI * k) / half)];
      for (let i = k; i < SIZE; i += 2 * half) {
        const j = i + half;
        const [a, b] = [re[j] * cos - im[j] * sin, re[j] * sin + im[j] * cos];
        [re[j], im[j], re[i], im[i]] = [re[i] - a, im[i] - b, re[i] + a, im[i] + b];
      }
    }
  }
  return Float32Array.from({ length: SIZE / 2 }, (_, i) => Math.hypot(re[i], im[i]));
}

export function drawSpectrogram(canvas, samples) {
  const pen = prepared(canvas);
  const columns = Math.min(canvas.width, 400);
  const [wide, tall] = [canvas.width / columns, canvas.height / (SIZE / 2)];
  for (let x = 0; x < columns; x++) {
    const start = Math.floor((x * Math.max(0, samples.length - SIZE)) / columns);
    const frame = Float32Array.from(window_, (value, i) => value * (samples[start + i] ?? 0));
    magnitudes(frame).forEach((value, bin) => {
      const level = (20 * Math.log10(value + 1e-6) + 50) / 90; // -50 to 40 dB
      pen.fillStyle = color(Math.max(0, Math.min(1, level)));
      pen.fillRect(x * wide, canvas.height - (bin + 1) * tall, wide + 0.5, tall + 0.5);
    });
  }
}
