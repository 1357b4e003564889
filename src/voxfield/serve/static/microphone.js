/** A microphone that is heard enhanced: its capture, a session of the service, and the playing of what comes back. */
import { words } from "./language.js";
import { Session } from "./stream.js";

export class Microphone {
  /**
   * @param {Object} on told while it runs
   * @param {(name: "before"|"after", position: number, block: Float32Array) => void} on.samples both streams
   * @param {(report: Object) => void} on.report what the audio thread measures, see worklet.js
   * @param {(error: Error) => void} on.lost the service ended the session
   */
  constructor(on) {
    this.on = on;
    this.counts = { before: 0, after: 0 }; // samples so far
    this.holes = []; // samples that the service has dropped and at which position, still to come
  }

  get rate() {
    return this.context.sampleRate;
  }

  /** Of the sound card on the way out, in seconds. */
  get outputLatencyS() {
    return this.context.outputLatency || this.context.baseLatency || 0;
  }

  /**
   * Open the device and the session, and play.
   * @param {{model: string, rate: number, input: string, output: string}} chosen the rate of the model, at which no
   *   time is lost by resampling; devices by their id, "" for the usual ones
   */
  async start({ model, rate, input, output }) {
    if (!navigator.mediaDevices) throw new Error(words("insecure"));
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: constraints(input) });
      this.open(rate);
      if (output) await this.context.setSinkId(output);
      await this.context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
      this.session = await Session.open(
        { rate: this.context.sampleRate, model },
        {
          audio: (block) => this.give(block),
          dropped: (hole) => (this.holes = [...this.holes, hole].sort((a, b) => a.at_sample - b.at_sample)),
          lost: (error) => this.on.lost(error),
        },
      );
      this.connect();
      await this.context.resume();
      if (this.session.over) throw this.session.error;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  /** Firefox connects no microphone to a context of another rate than its own; the service takes any rate. */
  open(rate) {
    this.context = new AudioContext({ latencyHint: "interactive", sampleRate: rate });
    try {
      this.source = new MediaStreamAudioSourceNode(this.context, { mediaStream: this.stream });
    } catch {
      this.context.close();
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.source = new MediaStreamAudioSourceNode(this.context, { mediaStream: this.stream });
    }
  }

  connect() {
    this.node = new AudioWorkletNode(this.context, "voxfield-live", {
      channelCount: 1,
      channelCountMode: "explicit",
      outputChannelCount: [1],
    });
    this.node.port.onmessage = ({ data }) => {
      if (!(data instanceof Float32Array)) return this.on.report(data);
      this.session.send(data);
      this.pass("before", data);
    };
    this.source.connect(this.node).connect(this.context.destination);
    this.analysers = [this.source, this.node].map((node) => {
      const analyser = new AnalyserNode(this.context, { fftSize: 1024, smoothingTimeConstant: 0 });
      node.connect(analyser);
      return analyser;
    });
  }

  /** Hear the microphone itself, at the same delay. */
  set bypass(on) {
    this.node.port.postMessage({ bypass: on });
  }

  /** End the session and give the device back. Returns the counts of the service. */
  async stop() {
    this.stream.getTracks().forEach((track) => track.stop());
    this.node.port.onmessage = null;
    const statistics = await this.session.stop();
    await this.release();
    return statistics;
  }

  async release() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.session?.socket.close();
    if (this.context?.state !== "closed") await this.context?.close();
  }

  /** Play what came back, with silence in the place of what was dropped, so that both streams stay in step. */
  give(block) {
    while (this.holes.length && this.holes[0].at_sample <= this.counts.after + block.length) {
      const { samples, at_sample } = this.holes.shift();
      const first = block.subarray(0, Math.max(0, at_sample - this.counts.after));
      this.play(first);
      this.play(new Float32Array(samples));
      block = block.subarray(first.length);
    }
    this.play(block);
  }

  play(block) {
    this.pass("after", block);
    this.node.port.postMessage(block);
  }

  pass(name, block) {
    this.on.samples(name, this.counts[name], block);
    this.counts[name] += block.length;
  }
}

/** Microphones and outputs, of which the names are known once a microphone was allowed. */
export async function devices() {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const named = (kind) => all.filter((one) => one.kind === kind && one.deviceId);
  return { inputs: named("audioinput"), outputs: "setSinkId" in AudioContext.prototype ? named("audiooutput") : [] };
}

const constraints = (input) => ({
  deviceId: input ? { exact: input } : undefined,
  channelCount: 1,
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
});
