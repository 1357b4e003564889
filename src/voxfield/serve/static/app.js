/** The page: finds out what the service offers, starts its views and switches between them. */
import { byId } from "./dom.js";
import { dropPlace, dropTarget } from "./drop.js";
import { explainView } from "./explain.js";
import { choose, current, preferred, say, words } from "./language.js";
import { liveView } from "./live.js";
import { fillChoices, modelsView } from "./models.js";
import { enhanceView, separateView } from "./recordings.js";
import { askJson, useToken } from "./service.js";
import { speakersView } from "./speakers.js";

const links = [...document.querySelectorAll("nav a")];

const linkTo = (view) => links.find(({ hash }) => hash === `#${view}`);

/** Show the view that the address names, and let a keyboard go on from there. */
function show(focus) {
  const link = links.find(({ hash, hidden }) => hash === location.hash && !hidden) ?? links[0];
  for (const other of links) {
    byId(other.hash.slice(1)).hidden = other !== link;
    other.removeAttribute("aria-current");
  }
  link.setAttribute("aria-current", "page");
  if (!focus) return;
  const title = byId(link.hash.slice(1)).querySelector("h1");
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

/** The token that `voxfield serve --open` puts behind the address; it is taken out of what the browser shows. */
function givenToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) history.replaceState(null, "", location.pathname);
  return given;
}

function speak(language) {
  choose(language);
  byId("language").lang = language === "en" ? "zh-CN" : "en"; // of what the button says
}

async function start() {
  useToken(givenToken(), askToken);
  speak(preferred());
  byId("language").addEventListener("click", () => speak(current() === "en" ? "zh" : "en"));
  addEventListener("hashchange", () => show(true));
  show(false);
  let models = [];
  liveView(() => {
    const chosen = models.find(({ name }) => name === byId("live-model").value);
    if (!chosen) throw new Error(words("unreachable"));
    return { name: chosen.name, rate: chosen.interface.sample_rate_hz };
  });
  const enhance = enhanceView(() => byId("file-model").value);
  separateView();
  explainView();
  const toFile = (file) => {
    location.hash = "#file";
    enhance(file);
  };
  dropPlace(byId("live-drop"), "drop-live", toFile);
  dropTarget(document.body, toFile);
  try {
    const [{ paths }, offered] = await Promise.all([askJson("/v1/openapi.json"), askJson("/v1/models")]);
    models = offered.models;
    fillChoices(models);
    modelsView(models);
    const offers = (verb, task) => `/v1/${verb}` in paths && models.some((card) => card.task === task);
    linkTo("voices").hidden = !offers("separate", "separate");
    linkTo("speakers").hidden = !speakersView(offers);
    show(false);
  } catch (error) {
    for (const name of ["live", "models"]) say(byId(`${name}-status`), "failed", { reason: error.message });
  }
  document.body.dataset.started = "";
}

start();
