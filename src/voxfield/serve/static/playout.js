/**
 * What is played of a live stream: enhanced samples as they arrive, or the microphone at the same positions, so that
 * switching moves nothing. An underrun is silence, is counted, and makes the buffer longer; a buffer that has proved
 * too long is cut. Pure logic, called by the audio worklet for each of its blocks.
 */
import { Ring } from "./ring.js";

const KEPT_S = 4; // of the microphone and of what arrived
const START_S = 0.015; // that wait before playing begins
const MORE_S = 0.01; // that an underrun adds
const MOST_S = 0.3;
const SLACK_S = 0.03; // that may wait beyond what is needed
const WATCH_S = 1; // over which the buffer must have been too long
const FADE_S = 0.01; // of a switch between enhanced and microphone

export class Playout {
  /** @param {number} rate samples per second of both streams */
  constructor(rate) {
    this.rate = rate;
    this.microphone = new Ring(Math.round(KEPT_S * rate));
    this.enhanced = new Ring(Math.round(KEPT_S * rate));
    this.bypass = false;
    this.underruns = 0;
    this.playing = false;
    this.reserveSamples = Math.round(START_S * rate);
    this.share = 1; // of the enhanced stream in what is played
    this.forget();
  }

  /** From the microphone to the output, inside this computer and the service. */
  get latencySamples() {
    return this.microphone.end - this.enhanced.start;
  }

  receive(block) {
    this.enhanced.push(block);
  }

  /** Take a block of the microphone and fill a block of the same size for the output. */
  step(input, output) {
    const { microphone, enhanced } = this;
    microphone.push(input);
    if (!this.playing) this.playing = enhanced.available >= this.reserveSamples + output.length;
    if (!this.playing) return void output.fill(0);
    if (enhanced.available < output.length) {
      this.underruns++;
      this.playing = false;
      this.reserveSamples = Math.min(this.reserveSamples + MORE_S * this.rate, MOST_S * this.rate);
      this.forget();
      return void output.fill(0);
    }
    const plain = new Float32Array(output.length);
    microphone.read(enhanced.start, plain);
    enhanced.pull(output);
    const change = (this.bypass ? -1 : 1) / (FADE_S * this.rate);
    for (let index = 0; index < output.length; index++) {
      this.share = Math.min(1, Math.max(0, this.share + change));
      output[index] = this.share * output[index] + (1 - this.share) * plain[index];
    }
    this.watch(output.length);
  }

  watch(count) {
    this.leastSamples = Math.min(this.leastSamples, this.enhanced.available);
    this.watchedSamples += count;
    if (this.watchedSamples < WATCH_S * this.rate) return;
    const spare = this.leastSamples - this.reserveSamples;
    if (spare > SLACK_S * this.rate) this.enhanced.skip(Math.round(spare));
    this.forget();
  }

  forget() {
    this.leastSamples = Infinity;
    this.watchedSamples = 0;
  }
}
