/** Samples in the order in which they came, at absolute positions. When it is full the oldest give way. */
export class Ring {
  /** @param {number} capacity samples that are kept */
  constructor(capacity) {
    this.samples = new Float32Array(capacity);
    this.start = 0; // position of the next sample that is pulled
    this.end = 0; // position that the next pushed sample gets
  }

  get available() {
    return this.end - this.start;
  }

  push(block) {
    const size = this.samples.length;
    const kept = block.length > size ? block.subarray(block.length - size) : block;
    const at = (this.end + block.length - kept.length) % size;
    const first = Math.min(kept.length, size - at);
    this.samples.set(kept.subarray(0, first), at);
    this.samples.set(kept.subarray(first), 0);
    this.end += block.length;
    this.start = Math.max(this.start, this.end - size);
  }

  /** Fill `out` from `position` on; zeros stand for samples that are gone or have not come. */
  read(position, out) {
    const size = this.samples.length;
    const oldest = Math.max(0, this.end - size);
    for (let index = 0; index < out.length; index++) {
      const at = position + index;
      out[index] = at >= oldest && at < this.end ? this.samples[at % size] : 0;
    }
  }

  /** Fill `out` with the next samples, of which so many must be available. */
  pull(out) {
    this.read(this.start, out);
    this.start += out.length;
  }

  skip(count) {
    this.start += Math.min(count, this.available);
  }
}
