/**
 * The audio thread: gives the microphone away in blocks, plays what comes back, and reports levels and latency.
 *
 * To it: a Float32Array of enhanced samples, or {bypass}. From it: a Float32Array of the microphone, or
 * {inputPower, outputPower, latencySamples, underruns} several times a second.
 */
import { Playout } from "./playout.js";

const BLOCK_S = 0.01;
const REPORT_S = 0.05;

class Live extends AudioWorkletProcessor {
  constructor() {
    super();
    this.playout = new Playout(sampleRate);
    this.block = new Float32Array(Math.max(128, Math.round((BLOCK_S * sampleRate) / 128) * 128));
    this.filled = 0;
    this.reset();
    this.port.onmessage = ({ data }) => {
      if (data instanceof Float32Array) this.playout.receive(data);
      else this.playout.bypass = data.bypass;
    };
  }

  reset() {
    this.inputEnergy = this.outputEnergy = this.measured = 0;
  }

  process([[input]], [[output]]) {
    const heard = input ?? new Float32Array(output.length); // the microphone is not connected yet
    this.playout.step(heard, output);
    this.block.set(heard, this.filled);
    this.filled += heard.length;
    if (this.filled === this.block.length) {
      this.port.postMessage(this.block.slice());
      this.filled = 0;
    }
    this.measure(heard, output);
    return true;
  }

  measure(input, output) {
    for (let index = 0; index < output.length; index++) {
      this.inputEnergy += input[index] ** 2;
      this.outputEnergy += output[index] ** 2;
    }
    this.measured += output.length;
    if (this.measured < REPORT_S * sampleRate) return;
    this.port.postMessage({
      inputPower: this.inputEnergy / this.measured,
      outputPower: this.outputEnergy / this.measured,
      latencySamples: this.playout.playing ? this.playout.latencySamples : null,
      underruns: this.playout.underruns,
    });
    this.reset();
  }
}

registerProcessor("voxfield-live", Live);
