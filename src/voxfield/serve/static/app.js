/** The page: finds out what the service offers, starts its views and switches between them. */
import { byId } from "./dom.js";
import { dropPlace, dropTarget } from "./drop.js";
import { explainView } from "./explain.js";
import { choose, current, preferred, say } from "./language.js";
import { liveView } from "./live.js";
import { fillChoices, modelsView } from "./models.js";
import { enhanceView, separateView } from "./recordings.js";
import { askJson, useTokenDialog } from "./service.js";
import { speakersView } from "./speakers.js";

const sections = [...document.querySelectorAll("main > section")];

/** Show the view that the address names, and let a keyboard go on from there. */
function show(focus) {
  const wanted = sections.find(({ id }) => `#${id}` === location.hash) ?? sections[0];
  for (const section of sections) section.hidden = section !== wanted;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${wanted.id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!focus) return;
  const title = wanted.querySelector("h1");
  title.tabIndex = -1;
  title.focus();
  scrollTo(0, 0);
}

function askToken() {
  const dialog = byId("token");
  dialog.showModal();
  return new Promise((done) => {
    dialog.onclose = () => {
      done(dialog.returnValue === "use" ? byId("token-text").value : null);
      byId("token-text").value = "";
    };
  });
}

async function start() {
  choose(preferred());
  byId("language").addEventListener("click", () => choose(current() === "en" ? "zh" : "en"));
  addEventListener("hashchange", () => show(true));
  show(false);
  useTokenDialog(askToken);
  const model = (id) => () => byId(id).value;
  liveView(model("live-model"));
  const enhance = enhanceView(model("file-model"));
  separateView();
  explainView();
  const toFile = (file) => {
    location.hash = "#file";
    enhance(file);
  };
  dropPlace(byId("live-drop"), "drop-live", toFile);
  dropTarget(document.body, toFile);
  try {
    const [{ paths }, { models }] = await Promise.all([askJson("/v1/openapi.json"), askJson("/v1/models")]);
    fillChoices(models);
    modelsView(models);
    const offers = (verb, task) => `/v1/${verb}` in paths && models.some((card) => card.task === task);
    document.querySelector("nav a[href='#voices']").hidden = !offers("separate", "separate");
    document.querySelector("nav a[href='#speakers']").hidden = !speakersView(offers);
  } catch (error) {
    for (const name of ["live", "models"]) say(byId(`${name}-status`), "failed", { reason: error.message });
  }
  document.body.dataset.started = "";
}

start();
