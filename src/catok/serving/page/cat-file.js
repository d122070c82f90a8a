// The .cat file (docs/cat-file.md): codes of one recording, every byte under a checksum.

const VERSION = 1;
const FIELDS = 43; // bytes before the model id
const MOST_ID = 40; // bytes of it

const table = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ table[(sum ^ byte) & 255];
  return ~sum >>> 0;
}

const bitsPerCode = (size) => 32 - Math.clz32(size - 1);

function pack(codes, width) {
  const bytes = new Uint8Array(Math.ceil((codes.length * width) / 8));
  codes.forEach((code, f) => {
    for (let bit = 0; bit < width; bit++) {
      const at = f * width + bit;
      if ((code >>> (width - 1 - bit)) & 1) bytes[at >> 3] |= 128 >> (at & 7);
    }
  });
  return bytes;
}

function unpack(bytes, frames, width) {
  return Array.from({ length: frames }, (_, f) => {
    let code = 0;
    for (let at = f * width; at < (f + 1) * width; at++) {
      code = code * 2 + ((bytes[at >> 3] >> (7 - (at & 7))) & 1);
    }
    return code;
  });
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((start, part) => (whole.set(part, start), start + part.length), 0);
  return whole;
}

function words(values) {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setUint32(4 * i, value, true));
  return new Uint8Array(view.buffer);
}

// As many whole characters as fit.
function idBytes(text) {
  const bytes = new TextEncoder().encode(text);
  let end = Math.min(bytes.length, MOST_ID);
  while (end < bytes.length && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

// `encoded`: codes [K][F], samples, sample_rate, channels, frame_size, codebook_size, model_id, weight_hash.
export function writeCat(encoded) {
  const { codes, codebook_size } = encoded;
  const planes = codes.map((row) => pack(row, bitsPerCode(codebook_size)));
  const id = idBytes(encoded.model_id);
  const head = new DataView(new ArrayBuffer(FIELDS));
  [..."CATK"].forEach((letter, i) => head.setUint8(i, letter.charCodeAt(0)));
  head.setUint16(4, VERSION, true);
  head.setUint16(6, codes.length, true);
  head.setUint32(8, encoded.sample_rate, true);
  head.setUint16(12, encoded.channels, true);
  head.setUint32(14, encoded.frame_size, true);
  head.setUint32(18, codebook_size, true);
  head.setUint32(22, codes[0].length, true);
  head.setBigUint64(26, BigInt(encoded.samples), true);
  head.setBigUint64(34, BigInt(`0x${encoded.weight_hash || 0}`)); // its bytes, as written
  head.setUint8(42, id.length);
  const body = joined([new Uint8Array(head.buffer), id, words(planes.map(crc32))]);
  return joined([body, words([crc32(body)]), ...planes]);
}

// The same of a file's bytes. Throws an Error that says what is wrong with them.
export function readCat(bytes) {
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== "CATK") {
    throw new Error("this is no .cat file: catok encode makes one from audio");
  }
  const check = (right) => {
    if (!right) throw new Error("this .cat file is damaged or cut short: copy or encode it again");
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  check(bytes.length > FIELDS);
  if (view.getUint16(4, true) !== VERSION) {
    throw new Error("this .cat file is of a version that this page does not read");
  }
  const codebooks = view.getUint16(6, true);
  const sums = FIELDS + view.getUint8(42);
  const headerSize = sums + 4 * codebooks + 4;
  check(bytes.length >= headerSize);
  const sum = (at) => view.getUint32(at, true);
  check(crc32(bytes.subarray(0, headerSize - 4)) === sum(headerSize - 4));
  const [codebook_size, frames] = [sum(18), sum(22)];
  const width = bitsPerCode(codebook_size);
  const planeSize = Math.ceil((frames * width) / 8);
  check(bytes.length === headerSize + codebooks * planeSize);
  const codes = Array.from({ length: codebooks }, (_, k) => {
    const start = headerSize + k * planeSize;
    const plane = bytes.subarray(start, start + planeSize);
    check(crc32(plane) === sum(sums + 4 * k));
    return unpack(plane, frames, width);
  });
  const hash = view.getBigUint64(34);
  return {
    codes,
    samples: Number(view.getBigUint64(26, true)),
    sample_rate: sum(8),
    channels: view.getUint16(12, true),
    frame_size: sum(14),
    codebook_size,
    weight_hash: hash ? hash.toString(16).padStart(16, "0") : "", // "": unknown
    model_id: new TextDecoder().decode(bytes.subarray(FIELDS, sums)),
  };
}
