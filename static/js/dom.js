// Builds elements. Text always goes in as text, so nothing a host reports can become markup.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const fill = (element, ...children) => element.replaceChildren(...children.flat(Infinity).filter(Boolean));

export const byId = (id) => document.getElementById(id);

// A problem+json answer as one sentence, with the number to quote.
export async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  const what = problem.detail ?? problem.title ?? `The manager answered ${response.status}.`;
  return Object.assign(new Error(problem.request_id ? `${what} (request ${problem.request_id})` : what), { status: response.status, detail: what });
}

export async function postJson(url, body) {
  const headers = { Accept: "application/json", "Content-Type": "application/json", "X-Kattila-Form": document.body.dataset.formToken ?? "" };
  const response = await fetch(url, { method: "POST", credentials: "same-origin", headers, body: JSON.stringify(body) }).catch(() => {
    throw new Error("the manager does not answer");
  });
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

export async function getJson(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" }).catch(() => {
    throw new Error("the manager does not answer");
  });
  if (!response.ok) throw await problemOf(response);
  return response.json();
}
