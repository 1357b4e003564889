/** Drawings of the service as part of the page: only shapes and words are taken over, everything else is left out. */

const NAMESPACE = "http://www.w3.org/2000/svg";
const SHAPES = new Set(["svg", "g", "title", "rect", "line", "polygon", "polyline", "path", "circle", "text", "tspan"]);
const ATTRIBUTES = new Set([
  ...["viewBox", "width", "height", "role", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "d"],
  ...["points", "transform", "class", "fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "color"],
  ...["font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline"],
]);

/**
 * @param {string} text of an SVG file
 * @returns {?SVGElement} null where it is none
 */
export function drawing(text) {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  return root.localName === "svg" ? copied(root) : null;
}

function copied(node) {
  const made = document.createElementNS(NAMESPACE, node.localName);
  for (const { name, value } of node.attributes) {
    if (ATTRIBUTES.has(name) && !/url\(/i.test(value)) made.setAttribute(name, value);
  }
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) made.append(child.data);
    else if (child.namespaceURI === NAMESPACE && SHAPES.has(child.localName)) made.append(copied(child));
  }
  return made;
}
