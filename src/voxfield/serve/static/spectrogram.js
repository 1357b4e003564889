/** Spectrograms on canvases, in the colours and on the scale of the reports of the command line. */
import { PowerSpectrum } from "./fft.js";

const WINDOW_S = 0.032;
const RANGE_DB = 70; // from the brightest to black
const MOST_COLUMNS = 1000;
const FRAMES_A_COLUMN = 4; // at most, spread over what the column stands for
const SLICE_MS = 12; // of work between two chances for the page to answer
const ANCHORS = [
  [0.0, [4, 6, 20]],
  [0.25, [44, 22, 88]],
  [0.5, [148, 40, 98]],
  [0.75, [236, 112, 56]],
  [0.9, [250, 196, 84]],
  [1.0, [252, 252, 220]],
];

/** 256 colours from dark to bright, as red, green and blue. */
export const COLOURS = Array.from({ length: 256 }, (_, entry) => {
  const place = entry / 255;
  const upper = Math.max(1, ANCHORS.findIndex(([end]) => place <= end));
  const [[from, dark], [to, bright]] = [ANCHORS[upper - 1], ANCHORS[upper]];
  return dark.map((part, index) => Math.round(part + ((place - from) / (to - from)) * (bright[index] - part)));
});

/** Samples of a frame: the power of two that is nearest to 32 ms. */
export const windowSamples = (rate) => 2 ** Math.round(Math.log2(WINDOW_S * rate));

/**
 * Powers over time and frequency of the mean of the channels.
 * @param {Float32Array[]} channels
 * @param {number} rate samples per second
 * @returns {Promise<{columns: Float32Array[]}>} each column lowest frequency first
 */
export async function analyse(channels, rate) {
  const size = windowSamples(rate);
  const spectrum = new PowerSpectrum(size);
  const count = channels[0].length;
  const width = Math.max(1, Math.min(MOST_COLUMNS, Math.ceil((4 * count) / size)));
  const frames = Math.max(1, Math.min(FRAMES_A_COLUMN, Math.round((4 * count) / (size * width))));
  const columns = [];
  let resting = performance.now();
  for (let column = 0; column < width; column++) {
    const bins = new Float32Array(size / 2 + 1);
    for (let frame = 0; frame < frames; frame++) {
      const centre = ((column + (frame + 0.5) / frames) / width) * count;
      const start = Math.round(centre - size / 2);
      spectrum.add(mixed(channels, start, size), 0, bins);
    }
    columns.push(bins.map((power) => power / frames));
    if (performance.now() - resting > SLICE_MS) {
      await new Promise((done) => setTimeout(done));
      resting = performance.now();
    }
  }
  return columns;
}

/** The power that one point in 200 exceeds: what to draw brightest. */
export function brightest(columns) {
  const powers = new Float32Array(columns.length * columns[0].length);
  columns.forEach((bins, index) => powers.set(bins, index * bins.length));
  return powers.sort()[Math.floor(0.995 * (powers.length - 1))];
}

/** Draw columns from `analyse` on a canvas, the highest frequency on top. */
export function draw(canvas, columns, scale) {
  const rows = columns[0].length;
  canvas.width = columns.length;
  canvas.height = rows;
  const picture = new ImageData(columns.length, rows);
  columns.forEach((bins, x) => {
    for (let bin = 0; bin < rows; bin++) paint(picture, x, rows - 1 - bin, shade(bins[bin], scale));
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** A spectrogram that moves to the left as columns come, for a live stream. */
export class Strip {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas, columns = 400, rows = 96) {
    canvas.width = columns;
    canvas.height = rows;
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { willReadFrequently: true });
    this.column = new ImageData(1, rows);
    this.clear();
  }

  clear() {
    this.pen.fillStyle = `rgb(${COLOURS[0]})`;
    this.pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** @param {Float32Array} decibels of frequencies from 0 to half the rate; the upper part of `topShare` is left out */
  push(decibels, topShare) {
    const { width, height } = this.canvas;
    const used = decibels.length * topShare;
    for (let row = 0; row < height; row++) {
      const bin = Math.floor(((height - 1 - row) / height) * used);
      paint(this.column, 0, row, Math.min(255, Math.max(0, Math.round((1 + (decibels[bin] + 35) / RANGE_DB) * 255))));
    }
    this.pen.drawImage(this.canvas, 1, 0, width - 1, height, 0, 0, width - 1, height);
    this.pen.putImageData(this.column, width - 1, 0);
  }
}

function mixed(channels, start, size) {
  const frame = new Float32Array(size);
  for (const channel of channels) {
    for (let n = Math.max(0, -start); n < size && start + n < channel.length; n++) {
      frame[n] += channel[start + n] / channels.length;
    }
  }
  return frame;
}

function shade(power, scale) {
  const level = 10 * Math.log10(power / Math.max(scale, 1e-20) + 1e-12);
  return Math.round(Math.min(1, Math.max(0, 1 + level / RANGE_DB)) * 255);
}

function paint(picture, x, y, entry) {
  picture.data.set([...COLOURS[entry], 255], 4 * (y * picture.width + x));
}
