/** Power spectra of real frames: a radix-2 fast Fourier transform with its tables made once. */
export class PowerSpectrum {
  /** @param {number} size samples of a frame, a power of two */
  constructor(size) {
    this.size = size;
    this.window = Float64Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
    this.cosine = Float64Array.from({ length: size / 2 }, (_, n) => Math.cos((2 * Math.PI * n) / size));
    this.sine = Float64Array.from({ length: size / 2 }, (_, n) => Math.sin((2 * Math.PI * n) / size));
    const bits = Math.log2(size);
    this.order = Uint32Array.from({ length: size }, (_, n) => {
      let turned = 0;
      for (let bit = 0; bit < bits; bit++) turned |= ((n >> bit) & 1) << (bits - 1 - bit);
      return turned;
    });
    this.real = new Float64Array(size);
    this.imaginary = new Float64Array(size);
  }

  /** Add the powers of a Hann-windowed frame, which starts at `start`, to `bins` (size / 2 + 1); zeros outside. */
  add(samples, start, bins) {
    const { size, real, imaginary, cosine, sine } = this;
    for (let n = 0; n < size; n++) real[this.order[n]] = (samples[start + n] ?? 0) * this.window[n];
    imaginary.fill(0);
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let first = 0; first < size; first += 2 * half) {
        for (let k = 0; k < half; k++) {
          const [a, b] = [first + k, first + k + half];
          const [c, s] = [cosine[k * stride], sine[k * stride]];
          const re = real[b] * c + imaginary[b] * s;
          const im = imaginary[b] * c - real[b] * s;
          real[b] = real[a] - re;
          imaginary[b] = imaginary[a] - im;
          real[a] += re;
          imaginary[a] += im;
        }
      }
    }
    for (let k = 0; k <= size / 2; k++) bins[k] += real[k] ** 2 + imaginary[k] ** 2;
  }
}
