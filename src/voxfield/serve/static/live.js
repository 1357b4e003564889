/** The view of the microphone: start and stop, meters, moving spectrograms, latency, comparison and recording. */
import { byId, element } from "./dom.js";
import { say, words } from "./language.js";
import { decibels } from "./levels.js";
import { Microphone, devices } from "./microphone.js";
import { Player } from "./player.js";
import { Recorder } from "./recorder.js";
import { Strip } from "./spectrogram.js";
import { wavFile } from "./wav.js";

const FLOOR_DB = -60; // of the meters
const SPOKEN_EVERY = 10; // reports between two updates for screen readers
const SHOWN_HZ = 8000; // upper edge of the moving spectrograms

/** @param {() => {name: string, rate: number}} model gives the model that is chosen, and its samples per second */
export function liveView(model) {
  const view = byId("live");
  const player = new Player(byId("live-result"));
  const strips = [new Strip(byId("strip-in")), new Strip(byId("strip-out"))];
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let microphone = null;
  let recorder = null;
  let reports = 0;

  async function start() {
    say(byId("live-status"), "connecting");
    const starting = new Microphone({
      samples: (name, position, block) => keep(name, position, block),
      report,
      lost: async (error) => {
        await end();
        say(byId("live-status"), "failed", { reason: error.message });
      },
    });
    try {
      const { name, rate } = model();
      const [input, output] = ["live-input", "live-output"].map((id) => byId(id).value);
      await starting.start({ model: name, rate, input, output });
    } catch (error) {
      say(byId("live-status"), "failed", { reason: trouble(error) });
      return;
    }
    microphone = starting;
    microphone.bypass = !byId("live-enhanced").checked;
    byId("live-desk").hidden = false;
    view.dataset.on = "";
    say(byId("live-start"), "stop");
    say(byId("live-status"), "listening");
    say(byId("algorithmic"), "milliseconds", { ms: microphone.session.ready.latency_ms });
    await list();
    if (!still) draw();
  }

  async function stop() {
    const { rate } = microphone;
    let said;
    try {
      const { fed_samples } = await microphone.stop();
      said = ["stopped", { seconds: (fed_samples / rate).toFixed(1) }];
    } catch (error) {
      said = ["failed", { reason: error.message }];
    }
    await end();
    say(byId("live-status"), ...said);
  }

  /** What is left to do when the session is over, whoever ended it. */
  async function end() {
    if (!microphone) return;
    const ended = microphone;
    microphone = null;
    await ended.release();
    delete view.dataset.on;
    say(byId("live-start"), "start");
    for (const name of ["meter-in", "meter-out"]) meter(byId(name), FLOOR_DB, true);
    if (recorder) await showRecording(ended.rate);
  }

  function report({ inputPower, outputPower, latencySamples, underruns }) {
    const spoken = reports++ % SPOKEN_EVERY === 0;
    meter(byId("meter-in"), decibels(inputPower), spoken);
    meter(byId("meter-out"), decibels(outputPower), spoken);
    if (!spoken || !microphone || latencySamples === null) return;
    const ms = Math.round(1000 * (latencySamples / microphone.rate + microphone.outputLatencyS));
    say(byId("measured"), "milliseconds", { ms });
    byId("underruns").textContent = underruns;
  }

  function draw() {
    if (!microphone) return;
    const topShare = Math.min(1, (2 * SHOWN_HZ) / microphone.rate);
    microphone.analysers.forEach((analyser, index) => {
      const found = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(found);
      strips[index].push(found, topShare);
    });
    requestAnimationFrame(draw);
  }

  function keep(name, position, block) {
    recorder?.take(name, position, block);
    if (recorder?.full) record();
  }

  async function record() {
    if (recorder) return showRecording(microphone.rate);
    recorder = new Recorder(microphone.counts.before, microphone.rate);
    player.clear();
    say(byId("live-record"), "record-stop");
    byId("live-record").setAttribute("aria-pressed", "true");
  }

  async function showRecording(rate) {
    const { before, after } = recorder.finish();
    recorder = null;
    say(byId("live-record"), "record");
    byId("live-record").setAttribute("aria-pressed", "false");
    if (!before.length) return;
    const track = (word, samples, fileName) => ({
      word,
      channels: [samples],
      file: wavFile([samples], rate),
      fileName,
    });
    await player.show([track("before", before, "microphone.wav"), track("after", after, "enhanced.wav")], rate);
  }

  async function list() {
    const { inputs, outputs } = await devices();
    fill(byId("live-input"), inputs);
    fill(byId("live-output"), outputs);
    byId("live-output").closest("label").hidden = outputs.length === 0;
  }

  async function restart() {
    if (!microphone) return;
    await stop();
    await start();
  }

  const once = (task) => async (event) => {
    event.currentTarget.disabled = true;
    await task().finally(() => (byId("live-start").disabled = false));
  };
  byId("live-start").addEventListener("click", once(() => (microphone ? stop() : start())));
  byId("live-enhanced").addEventListener("change", ({ target }) => microphone && (microphone.bypass = !target.checked));
  byId("live-record").addEventListener("click", record);
  for (const id of ["live-input", "live-output", "live-model"]) byId(id).addEventListener("change", restart);
  navigator.mediaDevices?.addEventListener("devicechange", list);
}

function meter(host, level, spoken) {
  const shown = Math.min(0, Math.max(FLOOR_DB, level));
  host.firstElementChild.style.clipPath = `inset(0 ${(100 * shown) / FLOOR_DB}% 0 0)`;
  if (spoken) host.setAttribute("aria-valuenow", Math.round(shown));
}

function fill(select, found) {
  const chosen = select.value;
  const usual = say(element("option", { value: "" }), "usual-device");
  select.replaceChildren(usual, ...found.map((one) => element("option", { value: one.deviceId }, one.label || one.deviceId)));
  select.value = found.some((one) => one.deviceId === chosen) ? chosen : "";
}

function trouble(error) {
  const known = { NotAllowedError: "not-allowed", NotFoundError: "no-microphone", NotReadableError: "microphone-busy" };
  return error.name in known ? words(known[error.name]) : error.message;
}
