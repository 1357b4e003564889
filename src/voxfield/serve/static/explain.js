/** The view of networks: a line of layers or code goes in; figures, words and drawings come out. */
import { byId, element } from "./dom.js";
import { explanation } from "./explanation.js";
import { current, say } from "./language.js";
import { askJson } from "./service.js";

const EXAMPLES = [
  "10/5 8/4 4/2 4/2 4/2",
  "Conv1D(64, 9, strides=2, padding='causal')",
  "nn.Sequential(nn.Conv1d(1, 32, 5, stride=2), nn.ReLU(), nn.Conv1d(32, 64, 3, dilation=4))",
];

export function explainView() {
  const [form, text, rate] = [byId("explain-form"), byId("explain-text"), byId("explain-rate")];
  let asked = 0;

  async function explain() {
    const number = ++asked;
    const question = { what: text.value, language: current(), drawings: true };
    if (rate.value) question.rate_hz = Number(rate.value);
    say(byId("explain-status"), "working");
    let shown = [];
    let said = ["done"];
    try {
      const answer = await askJson("/v1/explain", {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify(question),
      });
      shown = explanation(answer);
    } catch (error) {
      said = ["failed", { reason: error.message }];
    }
    if (number !== asked) return; // another question was asked meanwhile
    byId("explain-result").replaceChildren(...shown);
    say(byId("explain-status"), ...said);
  }

  for (const example of EXAMPLES) {
    const button = element("button", { type: "button", class: "quiet example" }, example);
    button.addEventListener("click", () => {
      text.value = example;
      explain();
    });
    byId("explain-examples").append(button);
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    explain();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) explain();
  });
  byId("language").addEventListener("click", () => byId("explain-result").childElementCount && explain());
}
