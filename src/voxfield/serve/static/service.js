/** The service behind the page: requests, and what they are refused with, as errors with words to show. */
import { words } from "./language.js";

let token = null; // lives as long as the page
let askToken;
let asking = null; // the token that the user is being asked for

/** What the service, or the way to it, says against a request. */
export class ServiceError extends Error {}

/**
 * Say where the token of a service that needs one comes from.
 * @param {?string} given with the address of the page
 * @param {() => Promise<?string>} dialog asks the user for it
 */
export function useToken(given, dialog) {
  token = given;
  askToken = dialog;
}

/**
 * The answer to one request.
 * @param {string} path
 * @param {RequestInit} request
 * @returns {Promise<Response>} with a status of success
 */
export async function ask(path, request = {}) {
  for (;;) {
    const headers = new Headers(request.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    let response;
    try {
      response = await fetch(path, { ...request, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServiceError(words("unreachable"));
    }
    if (response.ok) return response;
    if (response.status === 401 && (await newToken())) continue;
    throw new ServiceError(await reason(response));
  }
}

export const askJson = async (path, request) => (await ask(path, request)).json();

/**
 * Send a recording to a verb.
 * @param {string} verb
 * @param {Blob|FormData} body the recording, or several as a form
 * @param {{accept?: string, query?: Object<string, string>, signal?: AbortSignal}} how
 */
export function post(verb, body, { accept = "audio/wav", query = {}, signal } = {}) {
  const headers = { Accept: accept };
  if (!(body instanceof FormData)) headers["Content-Type"] = "application/octet-stream";
  return ask(`/v1/${verb}?${new URLSearchParams(query)}`, { method: "POST", body, headers, signal });
}

/** A word that opens one WebSocket, where the service needs a token; null where it does not. */
export async function ticket() {
  if (!token) return null;
  return (await askJson("/v1/ticket", { method: "POST" })).ticket;
}

/** Requests that are refused at the same time ask the user once. */
async function newToken() {
  asking ??= askToken().finally(() => (asking = null));
  return (token = await asking);
}

async function reason(response) {
  try {
    const { error, detail } = await response.json();
    return error?.message ?? (typeof detail === "string" ? detail : words("refused", { status: response.status }));
  } catch {
    return words("refused", { status: response.status });
  }
}
