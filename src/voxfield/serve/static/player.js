/**
 * Recordings of one length side by side: one player that lets one of them through, a spectrogram of each, downloads.
 *
 * All recordings play together from the same instant and a switch moves gains only, so there is no gap and no jump,
 * and levels can be matched.
 */
import { element, empty, saveLink } from "./dom.js";
import { label, say } from "./language.js";
import { levels, matchingGainsDb } from "./levels.js";
import { analyse, brightest, draw } from "./spectrogram.js";

const FADE_S = 0.004; // time constant of a switch
const LEAD_S = 0.03; // between the press of the button and the sound
const STEP_S = 2;
let context; // of the whole page, made when something is played first
let sounding = null; // the player that plays

/**
 * @typedef {Object} Track
 * @property {string} word key of its name
 * @property {Object} [given] what stands in its name
 * @property {Float32Array[]} channels
 * @property {Blob} file what is saved
 * @property {string} fileName
 */
export class Player {
  /** @param {HTMLElement} host is filled by `show` */
  constructor(host) {
    this.host = host;
    this.tracks = [];
    this.sources = [];
    const view = host.closest("section");
    document.addEventListener("keydown", (event) => !view.hidden && this.key(event));
  }

  /**
   * @param {Track[]} tracks the recording first
   * @param {number} rate samples per second
   */
  async show(tracks, rate) {
    this.clear();
    Object.assign(this, { tracks, rate, position: 0, chosen: 0 });
    this.lengthS = Math.max(...tracks.map((track) => track.channels[0].length)) / rate;
    this.levels = tracks.map((track) => levels(track.channels, rate));
    this.gainsDb = matchingGainsDb(this.levels);
    this.buffers = tracks.map(({ channels }) => {
      const buffer = new AudioBuffer({ length: channels[0].length, numberOfChannels: channels.length, sampleRate: rate });
      channels.forEach((samples, index) => buffer.copyToChannel(samples, index));
      return buffer;
    });
    this.figures = tracks.map((track, number) => this.figure(track, number));
    this.host.append(this.bar(), ...this.figures.map(({ figure }) => figure));
    this.choose(0);
    this.move(0);
    let scale;
    for (const [number, { canvas }] of this.figures.entries()) {
      const columns = await analyse(tracks[number].channels, rate);
      if (this.tracks !== tracks) return; // something else is shown by now
      scale ??= brightest(columns);
      draw(canvas, columns, scale);
    }
    this.host.dataset.drawn = "";
  }

  clear() {
    this.stop();
    this.tracks = [];
    delete this.host.dataset.drawn;
    empty(this.host);
  }

  bar() {
    this.button = element("button", { type: "button", class: "play", click: () => this.toggle() });
    this.seek = element("input", { type: "range", min: 0, max: this.lengthS, step: 0.01 });
    this.seek.addEventListener("input", () => this.move(Number(this.seek.value)));
    this.clock = element("span", { class: "clock" });
    this.match = element("input", { type: "checkbox", change: () => this.mix() });
    const group = `track-${this.host.id}`;
    this.choices = this.tracks.map((track, number) => {
      const choice = element("input", { type: "radio", name: group, change: () => this.choose(number) });
      const name = say(element("span"), track.word, track.given);
      return { choice, shown: element("label", {}, choice, element("span", {}, key(number), " ", name)) };
    });
    const choices = element("div", { class: "choices", role: "radiogroup" }, ...this.choices.map((one) => one.shown));
    return element(
      "div",
      { class: "bar", role: "group" },
      element("div", { class: "row" }, say(this.button, "play"), label(this.seek, "position"), this.clock),
      element(
        "div",
        { class: "row" },
        label(choices, "heard"),
        element("label", { class: "check" }, this.match, say(element("span"), "match")),
      ),
      say(element("p", { class: "hint" }), "keys", { last: letter(this.tracks.length - 1) }),
    );
  }

  figure(track, number) {
    const canvas = element("canvas", { width: 1, height: 1 });
    const head = element("span", { class: "head" });
    const area = element("div", { class: "area", role: "img" }, canvas, head);
    label(area, "spectrogram", { seconds: this.lengthS.toFixed(1), kilohertz: this.rate / 2000 });
    area.addEventListener("click", (event) => {
      const box = area.getBoundingClientRect();
      this.move(((event.clientX - box.left) / box.width) * this.lengthS);
    });
    const listen = element("button", { type: "button", class: "quiet" });
    listen.addEventListener("click", () => this.listen(number));
    const figure = element(
      "figure",
      {},
      element(
        "figcaption",
        {},
        element("span", {}, key(number), " ", say(element("span"), track.word, track.given)),
        element("span", { class: "row" }, say(listen, "listen"), say(saveLink(track.file, track.fileName), "save")),
      ),
      element(
        "div",
        { class: "plot" },
        say(element("span", { class: "unit up" }), "kilohertz"),
        axis("y", this.rate / 2000, 5),
        area,
        axis("x", this.lengthS, 10),
        say(element("span", { class: "unit" }), "seconds"),
      ),
    );
    return { figure, canvas, head, listen };
  }

  get now() {
    return this.sources.length ? Math.max(0, Math.min(this.lengthS, context.currentTime - this.began)) : this.position;
  }

  /** Play this recording from where the player stands, or pause when it is heard already. */
  async listen(number) {
    const other = number !== this.chosen;
    this.choose(number);
    if (!this.sources.length || !other) await this.toggle();
  }

  async toggle() {
    if (this.sources.length) return this.stop();
    context ??= new AudioContext();
    await context.resume();
    if (this.position >= this.lengthS) this.position = 0;
    this.start();
  }

  start() {
    sounding?.stop();
    sounding = this;
    const at = context.currentTime + LEAD_S;
    this.began = at - this.position;
    this.sources = this.buffers.map((buffer, number) => {
      const gain = new GainNode(context, { gain: this.gain(number) });
      gain.connect(context.destination);
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(gain);
      source.start(at, this.position);
      return { source, gain };
    });
    this.name();
    this.follow();
  }

  stop() {
    if (!this.sources.length) return;
    this.position = this.now;
    for (const { source, gain } of this.sources) {
      source.stop();
      gain.disconnect();
    }
    this.sources = [];
    sounding = null;
    this.name();
    this.point();
  }

  follow() {
    if (!this.sources.length) return;
    if (this.now >= this.lengthS) return this.stop();
    this.point();
    requestAnimationFrame(() => this.follow());
  }

  move(timeS) {
    const playing = this.sources.length > 0;
    this.stop();
    this.position = Math.min(this.lengthS, Math.max(0, timeS));
    if (playing) this.start();
    else this.point();
  }

  choose(number) {
    this.chosen = number;
    this.choices[number].choice.checked = true;
    this.figures.forEach(({ figure }, index) => figure.classList.toggle("on", index === number));
    this.mix();
    this.name();
  }

  gain(number) {
    if (number !== this.chosen) return 0;
    return this.match.checked ? 10 ** (this.gainsDb[number] / 20) : 1;
  }

  mix() {
    this.sources.forEach(({ gain }, number) => {
      gain.gain.setTargetAtTime(this.gain(number), context.currentTime, FADE_S);
    });
  }

  name() {
    const playing = this.sources.length > 0;
    say(this.button, playing ? "pause" : "play");
    this.figures.forEach(({ listen }, number) => {
      say(listen, playing && number === this.chosen ? "pause" : "listen");
    });
  }

  point() {
    const now = this.now;
    this.seek.value = now;
    this.seek.setAttribute("aria-valuetext", `${now.toFixed(1)} / ${this.lengthS.toFixed(1)} s`);
    this.clock.textContent = `${now.toFixed(1)} / ${this.lengthS.toFixed(1)} s`;
    for (const { head } of this.figures) head.style.left = `${(100 * now) / this.lengthS}%`;
  }

  key(event) {
    if (!this.tracks.length || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("textarea, select, input:not([type=radio]):not([type=range]):not([type=checkbox])")) return;
    const number = event.key.length === 1 ? event.key.toUpperCase().charCodeAt(0) - 65 : -1;
    const own = event.target.matches("button, a, input");
    if (number >= 0 && number < this.tracks.length) this.choose(number);
    else if (event.key === " " && !own) this.toggle();
    else if (event.key === "ArrowLeft" && !own) this.move(this.now - STEP_S);
    else if (event.key === "ArrowRight" && !own) this.move(this.now + STEP_S);
    else return;
    event.preventDefault();
  }
}

const letter = (number) => String.fromCharCode(65 + number);
const key = (number) => element("kbd", {}, letter(number));

/** Marks from 0 to `end` at steps of 1, 2 or 5 times a power of ten, at most `most` steps. */
export function axis(kind, end, most) {
  const size = 10 ** Math.floor(Math.log10(end / most));
  const step = size * [1, 2, 5, 10].find((factor) => end / (size * factor) <= most);
  const host = element("div", { class: `axis ${kind}`, "aria-hidden": "true" });
  for (let number = 0; number * step <= end * 1.000001; number++) {
    const mark = element("span", {}, String(Number((number * step).toPrecision(6))));
    mark.style[kind === "x" ? "left" : "bottom"] = `${(100 * number * step) / end}%`;
    host.append(mark);
  }
  return host;
}
