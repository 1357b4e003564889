/** A part of a live stream as two recordings of one length: what the microphone gave and what came back for it. */
export const MOST_S = 600; // of a recording, which is kept in memory

export class Recorder {
  /**
   * @param {number} start position in the stream of the first sample that is kept
   * @param {number} rate samples per second
   */
  constructor(start, rate) {
    this.start = start;
    this.most = MOST_S * rate;
    this.parts = { before: [], after: [] };
    this.counts = { before: 0, after: 0 };
  }

  get full() {
    return this.counts.before >= this.most;
  }

  /** Take a block that begins at `position` of the stream; what lies before the recording is left out. */
  take(name, position, block) {
    const kept = block.subarray(Math.min(block.length, Math.max(0, this.start - position)));
    if (!kept.length || this.counts[name] >= this.most) return;
    this.parts[name].push(kept);
    this.counts[name] += kept.length;
  }

  /** Both recordings, as long as the shorter one. */
  finish() {
    const count = Math.min(this.counts.before, this.counts.after);
    return { before: joined(this.parts.before, count), after: joined(this.parts.after, count) };
  }
}

/** The first samples of parts in a row. */
function joined(parts, count) {
  const whole = new Float32Array(count);
  let at = 0;
  for (const part of parts) {
    whole.set(part.subarray(0, count - at), at);
    at = Math.min(count, at + part.length);
  }
  return whole;
}
