/** The answer on a network as elements: figures of its axes, costs, questions with answers, layers. */
import { element } from "./dom.js";
import { label, say, words } from "./language.js";
import { drawing } from "./svg.js";

const FIELDS = ["rf", "hop", "lookahead", "latency", "first_output_needs"];
const COSTS = ["params", "macs", "macs_per_second", "state", "weight_bytes"];

/** @param {Object} answer JSON of the service, see the schema of `voxfield explain --json` */
export function explanation(answer) {
  return [
    element("h3", {}, answer.title),
    element("div", { class: "facts" }, ...distinct(answer.fields).map(axis), costs(answer.costs)),
    wide("drawing", drawing(answer.drawings.field)),
    ...answer.words.flatMap(({ question, answer: text }) => [element("h4", {}, question), element("p", {}, text)]),
    wide("drawing", drawing(answer.drawings.costs)),
    layers(answer.layers),
  ];
}

function axis(field) {
  const rows = FIELDS.map((name) => {
    if (field[name] === null) return [name, words(field.whole_input.length ? "whole-input" : "not-bounded")];
    const count = words(field.axis === "time" ? "samples" : "positions", { count: number(field[name]) });
    const ms = field[`${name}_ms`] ?? null;
    return [name, ms === null ? count : `${count} = ${number(ms)} ms`];
  });
  const rate = field.rate_hz ? ` @ ${number(field.rate_hz)} Hz` : "";
  return table(element("h4", {}, say(element("span"), `axis-${field.axis}`), rate), rows);
}

function costs(found) {
  const known = COSTS.filter((name) => found[name]?.value !== null && found[name] !== undefined);
  if (!known.length) return element("p", { class: "soft" }, words("no-costs"));
  return table(say(element("h4"), "costs"), known.map((name) => [name, number(found[name].value)]));
}

function layers(all) {
  const heads = ["#", ...["layer", "kind", "kernel", "stride", "output", "rf", "hop"].map((key) => words(`of-${key}`))];
  const rows = all.map((layer, index) => {
    const window = (name) => layer.windows.map((one) => one[name]).join(" x ");
    const along = layer.fields.find((field) => field.axis === "time") ?? layer.fields[0];
    const shape = layer.out_shape.map((size) => size ?? "?").join(", ");
    const cells = [layer.name, layer.kind, window("kernel"), window("stride"), `(${shape})`, along?.rf, along?.hop];
    return [index + 1, ...cells].map((cell) => element("td", {}, String(cell ?? "–")));
  });
  const table = element(
    "table",
    {},
    element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head))),
    ...rows.map((cells) => element("tr", {}, ...cells)),
  );
  return wide("layers", table);
}

/** What scrolls sideways where the page is narrower, with a keyboard as well. */
function wide(word, content) {
  return label(element("div", { class: "wide", tabindex: 0, role: "group" }, content), word);
}

function table(head, rows) {
  const body = rows.map(([name, value]) =>
    element("tr", {}, say(element("th", { scope: "row" }), `of-${name}`), element("td", {}, value)),
  );
  return element("div", {}, head, element("table", {}, ...body));
}

/** Axes of which the figures differ, time first. */
function distinct(fields) {
  const found = new Map();
  const ordered = [...fields].sort((a, b) => (b.axis === "time") - (a.axis === "time"));
  for (const field of ordered) {
    const key = JSON.stringify([FIELDS.map((name) => field[name]), field.rate_hz]);
    if (!found.has(key)) found.set(key, field);
  }
  return [...found.values()];
}

const number = (value) => Number(value).toLocaleString("en", { maximumSignificantDigits: Math.abs(value) < 1e6 ? 6 : 15 });
