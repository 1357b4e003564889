/** The models of the service: their cards, and the choices of a model in the other views. */
import { byId, element } from "./dom.js";
import { say } from "./language.js";

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

/** Scores before and after, as one line each. */
function measured(found) {
  const lines = Object.entries(found).filter(([, value]) => value && typeof value === "object" && !Array.isArray(value));
  return lines
    .map(([name, scores]) => `${name}: ${Object.entries(scores).map(([score, value]) => `${score} ${value}`).join(", ")}`)
    .join("; ");
}
