/** The models of the service: their cards, and the choices of a model in the other views. */
import { byId, element } from "./dom.js";
import { say } from "./language.js";

const SCORES = { pesq: "PESQ", stoi: "STOI", estoi: "ESTOI", si_sdr_db: "SI-SDR (dB)" };

/** @param {Object[]} cards of `/v1/models` */
export function modelsView(cards) {
  byId("models-list").replaceChildren(...cards.map(shown));
}

/** Fill every choice of a model for a task; the first is chosen. */
export function fillChoices(cards) {
  for (const select of document.querySelectorAll("select[data-task]")) {
    const fitting = cards.filter((card) => card.task === select.dataset.task);
    select.replaceChildren(...fitting.map(({ name }) => element("option", { value: name }, name)));
  }
}

function shown(card) {
  const rows = [
    ["card-task", card.task],
    ["card-rate", card.interface.sample_rate_hz && `${card.interface.sample_rate_hz} Hz`],
    ["card-latency", latency(card)],
    ["card-parameters", card.parameters?.toLocaleString("en")],
    ["card-macs", card.macs?.toLocaleString("en")],
    ["card-licence", card.licence],
    ["card-data", card.data?.join("; ")],
    ["card-measured", measured(card.measured ?? {})],
  ];
  const body = rows
    .filter(([, value]) => value)
    .map(([key, value]) => element("tr", {}, say(element("th", { scope: "row" }), key), element("td", {}, value)));
  return element(
    "article",
    { class: "card" },
    element("h2", {}, card.name),
    element("p", { class: "soft" }, card.summary ?? ""),
    element("table", {}, ...body),
  );
}

function latency(card) {
  return card.latency_ms === null ? say(element("span"), "whole-recording") : `${card.latency_ms} ms`;
}

/** Scores of noisy and of enhanced recordings; nothing where the card has none. */
function measured({ noisy, enhanced }) {
  if (!noisy || !enhanced) return null;
  return Object.keys(noisy)
    .map((name) => `${SCORES[name] ?? name} ${noisy[name]} → ${enhanced[name]}`)
    .join(", ");
}
