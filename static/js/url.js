// What of the map is in the address: sel, q, p (problems only), r (relay paths), at (a time of the
// past), x, y, k. Pure.

const number = (text) => {
  const value = Number.parseFloat(text);
  return Number.isFinite(value) ? value : null;
};

export function read(search) {
  const params = new URLSearchParams(search);
  const [x, y, k] = ["x", "y", "k"].map((name) => number(params.get(name) ?? ""));
  const [type, ...rest] = (params.get("sel") ?? "").split("~");
  const id = rest.join("~");
  return {
    selected: ["node", "edge", "site"].includes(type) && id ? { type, id } : null,
    query: params.get("q") ?? "",
    problems: params.get("p") === "1",
    relays: params.get("r") === "1",
    at: number(params.get("at") ?? ""),
    view: x !== null && y !== null && k !== null && k > 0 ? { x, y, k } : null,
  };
}

export function write({ selected, query, problems, relays, at, view }) {
  const params = new URLSearchParams();
  if (selected) params.set("sel", `${selected.type}~${selected.id}`);
  if (query) params.set("q", query);
  if (problems) params.set("p", "1");
  if (relays) params.set("r", "1");
  if (at) params.set("at", String(at));
  if (view) {
    params.set("x", view.x.toFixed(1));
    params.set("y", view.y.toFixed(1));
    params.set("k", view.k.toPrecision(4));
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}
