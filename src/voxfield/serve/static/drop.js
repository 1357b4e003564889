/** Places for a file: a button that opens the choice of files, and a target for a file that is dropped. */
import { element } from "./dom.js";
import { say } from "./language.js";

/**
 * @param {HTMLElement} host becomes the place
 * @param {string} word key of what it says
 * @param {(file: File) => void} take
 */
export function dropPlace(host, word, take) {
  const input = element("input", { type: "file", accept: "audio/*,video/*,.flac,.opus,.mkv" });
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files[0]);
    input.value = ""; // the same file can be chosen again
  });
  host.append(element("label", { class: "drop" }, input, say(element("span"), word)));
  dropTarget(host, take);
}

/** Let an element take a dropped file; inner targets come first. */
export function dropTarget(host, take) {
  host.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    host.classList.add("over");
  });
  host.addEventListener("dragleave", (event) => {
    if (!host.contains(event.relatedTarget)) host.classList.remove("over");
  });
  host.addEventListener("drop", (event) => {
    host.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (!file || event.defaultPrevented) return;
    event.preventDefault();
    take(file);
  });
}
