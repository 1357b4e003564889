/** The view of speakers: are two recordings of one, and who spoke when. It shows what the service offers. */
import { byId, element } from "./dom.js";
import { dropPlace } from "./drop.js";
import { label, say } from "./language.js";
import { axis } from "./player.js";
import { post } from "./service.js";

/**
 * @param {(verb: string, task: string) => boolean} offers whether the service has a verb and a model for it
 * @returns {boolean} whether there is anything to show
 */
export function speakersView(offers) {
  const both = { verify: offers("verify", "embed"), diarize: offers("diarize", "embed") };
  for (const [name, offered] of Object.entries(both)) byId(name).hidden = !offered;
  if (both.verify) verifyView();
  if (both.diarize) diarizeView();
  return both.verify || both.diarize;
}

function verifyView() {
  const chosen = {};
  const status = byId("verify-status");
  for (const name of ["first", "second"]) {
    const host = byId(`verify-${name}`);
    const shown = element("p", { class: "soft" });
    dropPlace(host, `drop-${name}`, (file) => {
      chosen[name] = file;
      shown.textContent = file.name;
      compare();
    });
    host.append(shown);
  }

  async function compare() {
    if (!chosen.first || !chosen.second) return void say(status, "one-more");
    const { first, second } = chosen;
    const form = new FormData();
    form.append("first", first);
    form.append("second", second);
    say(status, "working");
    try {
      const { score, threshold, same } = await (await post("verify", form, { accept: "application/json" })).json();
      if (first !== chosen.first || second !== chosen.second) return;
      const word = same === null || same === undefined ? "undecided" : same ? "same" : "different";
      say(status, word, { score: score.toFixed(2), threshold: threshold?.toFixed(2) });
    } catch (error) {
      say(status, "failed", { reason: error.message });
    }
  }
}

function diarizeView() {
  const status = byId("diarize-status");
  dropPlace(byId("diarize-drop"), "drop-file", async (file) => {
    byId("diarize-result").replaceChildren();
    say(status, "sending", { file: file.name });
    try {
      const found = await (await post("diarize", file, { accept: "application/json" })).json();
      say(status, "turns", { count: found.turns.length, speakers: found.speakers.length });
      byId("diarize-result").append(timeline(found));
    } catch (error) {
      say(status, "failed", { reason: error.message });
    }
  });
}

/** One line a speaker, with a bar for each turn. */
function timeline({ turns, speakers, duration_s }) {
  const host = element("div", { class: "timeline" });
  for (const { name, speech_s, share } of speakers) {
    const lane = element("div", { class: "lane", role: "img" });
    for (const { start_s, end_s } of turns.filter(({ speaker }) => speaker === name)) {
      const bar = element("i");
      bar.style.left = `${(100 * start_s) / duration_s}%`;
      bar.style.width = `${(100 * (end_s - start_s)) / duration_s}%`;
      lane.append(bar);
    }
    const shown = { name, seconds: speech_s.toFixed(1), share: Math.round(100 * share) };
    host.append(say(element("span"), "speaker", shown), label(lane, "speaker", shown));
  }
  host.append(axis("x", duration_s, 10));
  return host;
}
