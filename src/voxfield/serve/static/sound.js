/** Files of sound as samples, decoded by the browser at their own rate. */
import { wavRate } from "./wav.js";

const USUAL_HZ = 48000; // where the rate of a file is not known before it is decoded

/**
 * @param {Blob} file
 * @param {number} [rate] samples per second to bring it to; its own where that can be read
 * @returns {Promise<{channels: Float32Array[], rate: number}>}
 * @throws {DOMException} the browser cannot decode it
 */
export async function decode(file, rate) {
  const bytes = await file.arrayBuffer();
  rate ??= wavRate(bytes) ?? USUAL_HZ;
  const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  return { channels: Array.from({ length: buffer.numberOfChannels }, (_, n) => buffer.getChannelData(n)), rate };
}
