/** Elements of the page, made without markup: whatever comes from a recording, a model or the service is text. */

/**
 * @param {string} name of the element
 * @param {Object} attributes functions are listeners, true and false set and leave out, the rest is text
 * @param {...(Node|string)} children
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

/** A link that saves a file; its address lives as long as the link is kept by the caller. */
export function saveLink(file, name) {
  return element("a", { class: "button quiet", href: URL.createObjectURL(file), download: name });
}

/** Remove what an element holds, and the addresses of files in it. */
export function empty(host) {
  for (const link of host.querySelectorAll("a[download]")) URL.revokeObjectURL(link.href);
  host.replaceChildren();
}
