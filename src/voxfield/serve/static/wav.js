/** WAV files of 32-bit floats: written from channels, and the sample rate of one that was read. */

const HEADER_BYTES = 58; // RIFF, fmt with its extension, fact, data

/**
 * @param {Float32Array[]} channels of one length
 * @param {number} rate samples per second
 * @returns {Blob}
 */
export function wavFile(channels, rate) {
  const count = channels[0].length;
  const frameBytes = 4 * channels.length;
  const bytes = new DataView(new ArrayBuffer(HEADER_BYTES + count * frameBytes));
  const text = (at, word) => [...word].forEach((sign, index) => bytes.setUint8(at + index, sign.charCodeAt(0)));
  text(0, "RIFF");
  bytes.setUint32(4, bytes.byteLength - 8, true);
  text(8, "WAVEfmt ");
  bytes.setUint32(16, 18, true);
  bytes.setUint16(20, 3, true); // IEEE float
  bytes.setUint16(22, channels.length, true);
  bytes.setUint32(24, rate, true);
  bytes.setUint32(28, rate * frameBytes, true);
  bytes.setUint16(32, frameBytes, true);
  bytes.setUint16(34, 32, true);
  text(38, "fact");
  bytes.setUint32(42, 4, true);
  bytes.setUint32(46, count, true);
  text(50, "data");
  bytes.setUint32(54, count * frameBytes, true);
  for (let index = 0, at = HEADER_BYTES; index < count; index++) {
    for (const channel of channels) {
      bytes.setFloat32(at, channel[index], true);
      at += 4;
    }
  }
  return new Blob([bytes], { type: "audio/wav" });
}

/** Samples per second that the header of a WAV file states; null where it is none. */
export function wavRate(buffer) {
  const bytes = new DataView(buffer);
  const word = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 44 || !["RIFF", "RF64"].includes(word(0)) || word(8) !== "WAVE") return null;
  for (let at = 12; at + 16 <= buffer.byteLength; at += 8 + bytes.getUint32(at + 4, true)) {
    if (word(at) === "fmt ") return bytes.getUint32(at + 12, true);
  }
  return null;
}
