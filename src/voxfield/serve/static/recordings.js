/** The views of recordings: one is sent to the service, and what comes back is compared with it. */
import { byId, element, empty, saveLink } from "./dom.js";
import { dropPlace, dropTarget } from "./drop.js";
import { say } from "./language.js";
import { noiseRemoved } from "./levels.js";
import { Player } from "./player.js";
import { post } from "./service.js";
import { decode } from "./sound.js";
import { wavFile } from "./wav.js";

const MOST_BYTES = 300e6; // of a result that is shown; a larger one can be saved only
const SAID_BYTES = 5e6; // of a result between two words about it

/**
 * The view that takes noise away.
 * @param {() => string} model name of the model that is chosen
 * @returns {(file: File) => void} sends a recording through the view
 */
export function enhanceView(model) {
  const view = new RecordingView("file", (file, signal) => post("enhance", file, { query: { model: model() }, signal }));
  view.tracks = (result, recording, name) => [
    { word: "before", ...recording },
    { word: "after", channels: result.channels, file: result.file, fileName: `${name}_enhanced.wav` },
  ];
  view.figures = ([before, after]) => {
    const { reductionDb, share } = noiseRemoved(before, after);
    const from = (name) => ({ from: dbfs(before[name]), to: dbfs(after[name]) });
    return [
      ["noise-removed", "share", { percent: (100 * share).toFixed(share > 0.99 ? 2 : 0), db: reductionDb.toFixed(1) }],
      ["pauses-level", "from-to", from("pausesDb")],
      ["speech-level", "from-to", from("speechDb")],
    ];
  };
  return (file) => view.send(file);
}

/** The view that separates voices: the result holds the channels of one voice after those of another. */
export function separateView() {
  const view = new RecordingView("voices", (file, signal) => post("separate", file, { signal }));
  view.tracks = (result, recording, name) => {
    const each = recording.channels.length;
    const voices = Array.from({ length: result.channels.length / each }, (_, index) => {
      const channels = result.channels.slice(index * each, (index + 1) * each);
      const fileName = `${name}_speaker${index + 1}.wav`;
      return { word: "voice", given: { number: index + 1 }, channels, file: wavFile(channels, result.rate), fileName };
    });
    return [{ word: "mixture", ...recording }, ...voices];
  };
  view.figures = () => [];
  return (file) => view.send(file);
}

class RecordingView {
  /**
   * @param {string} name the beginning of the ids of its elements
   * @param {(file: Blob, signal: AbortSignal) => Promise<Response>} ask gives the result as a WAV file
   */
  constructor(name, ask) {
    this.name = name;
    this.ask = ask;
    this.player = new Player(byId(`${name}-result`));
    const take = (file) => this.send(file);
    dropPlace(byId(`${name}-drop`), "drop-file", take);
    dropTarget(byId(name), take);
  }

  say(word, given) {
    say(byId(`${this.name}-status`), word, given);
  }

  /** Send a recording; one that is still on its way is given up. */
  async send(file) {
    this.running?.abort();
    const { signal } = (this.running = new AbortController());
    this.player.clear();
    empty(byId(`${this.name}-figures`));
    this.say("sending", { file: file.name });
    try {
      await this.compare(file, signal);
    } catch (error) {
      if (!signal.aborted) this.say("failed", { reason: error.message });
    }
  }

  async compare(file, signal) {
    const began = performance.now();
    const blob = await this.received(await this.ask(file, signal), file.name);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const name = file.name.replace(/\.[^.]*$/, "");
    if (blob.size > MOST_BYTES) return this.onlySave("too-large", blob, `${name}.wav`);
    const result = { file: blob, ...(await decode(blob)) };
    const recording = await decode(file, result.rate).catch(() => null);
    if (signal.aborted) return;
    if (!recording) return this.onlySave("not-decoded", blob, `${name}.wav`);
    const tracks = this.tracks(result, { ...recording, file, fileName: file.name }, name);
    const count = Math.min(...tracks.map(({ channels }) => channels[0].length)); // decoders differ at the very end
    for (const track of tracks) track.channels = track.channels.map((samples) => samples.subarray(0, count));
    this.say("ready", { file: file.name, duration: (count / result.rate).toFixed(1), seconds });
    const drawn = this.player.show(tracks, result.rate);
    for (const [title, word, given] of this.figures(this.player.levels)) {
      const value = say(element("dd"), word, given);
      byId(`${this.name}-figures`).append(element("div", {}, say(element("dt"), title), value));
    }
    await drawn;
  }

  /** The whole result, while the page says how much of it is there. */
  async received(response, file) {
    const parts = [];
    let bytes = 0;
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return new Blob(parts, { type: "audio/wav" });
      parts.push(value);
      const before = Math.floor(bytes / SAID_BYTES);
      bytes += value.length;
      if (Math.floor(bytes / SAID_BYTES) > before) this.say("receiving", { file, megabytes: Math.round(bytes / 1e6) });
    }
  }

  onlySave(word, file, fileName) {
    this.say(word);
    byId(`${this.name}-figures`).append(say(saveLink(file, fileName), "save"));
  }
}

const dbfs = (level) => level.toFixed(1).replace("-", "\u2212");
