/**
 * The language of the page. Elements say which words they show, so that a switch changes all of them at once:
 * `data-word` for the text and `data-label` for the name that a screen reader reads.
 */
import { WORDS } from "./words.js";

const KEPT = "voxfield-language";
const values = new WeakMap(); // what stands in the words of an element
let language = "en";

export const current = () => language;

/** The words of a key, with `{name}` replaced by what `given` holds under that name. */
export function words(key, given = {}) {
  return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => given[name]);
}

/** Let an element show words, now and after a switch of the language. Returns the element. */
export function say(element, key, given = {}) {
  element.dataset.word = key;
  values.set(element, given);
  element.textContent = words(key, given);
  return element;
}

/** Name an element for those who do not see it. Returns the element. */
export function label(element, key, given = {}) {
  element.dataset.label = key;
  values.set(element, given);
  element.setAttribute("aria-label", words(key, given));
  return element;
}

/** Show the page in a language, and keep the choice in this browser. */
export function choose(code) {
  language = code;
  document.documentElement.lang = code === "zh" ? "zh-CN" : code;
  document.title = words("title");
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = words(one.dataset.word, values.get(one));
  for (const one of document.querySelectorAll("[data-label]")) {
    one.setAttribute("aria-label", words(one.dataset.label, values.get(one)));
  }
  localStorage.setItem(KEPT, code);
}

/** The language that was chosen before, or else that of the browser. */
export function preferred() {
  const kept = localStorage.getItem(KEPT) ?? navigator.language;
  return kept.startsWith("zh") ? "zh" : "en";
}
