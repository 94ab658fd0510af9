// Shows the pages with made-up data, without a manager:
//   cargo test --lib views && node tests/browser/preview.mjs [small|large|empty|NODES] [PORT]
// The pages are those the view tests keep in target/pages; the map is live: every two seconds
// an agent changes its state. Headers are the manager's, so a violation shows here too.

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { agentDetail, alarms, carriers, diff, history, loss, networks, past, search, told, topology, way, weakest } from "./mock.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const TYPES = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml", html: "text/html; charset=utf-8" };
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const seconds = () => Math.floor(Date.now() / 1000);

// `files`: more paths, each with a file that is served under it without the policy.
export function preview(shape, port, changeEvery = 2000, files = {}) {
  const picture = topology(shape, seconds());
  const watchers = new Set();
  let turn = 0;
  const say = (stream, event, data, id = null) => stream.write(`event: ${event}\n${id ? `id: ${id}\n` : ""}data: ${JSON.stringify(data)}\n\n`);

  function change(count = 1) {
    const agents = picture.nodes.filter((node) => node.role === "agent");
    if (agents.length === 0) return;
    const parts = Array.from({ length: count }, () => turned(agents));
    const from = picture.seq;
    picture.seq += 1;
    const set = (kind) => [...new Set(parts.flatMap((part) => part[kind]))];
    const patch = { from, seq: picture.seq, t: seconds(), n: { set: set("nodes"), del: [] }, e: { set: set("edges"), del: [] }, s: { set: set("sites"), del: [] }, alarms: { open: 3 } };
    for (const stream of watchers) say(stream, "patch", patch, `mock:${picture.seq}`);
  }

  function turned(agents) {
    const node = agents[(turn * 7) % agents.length];
    turn += 1;
    const before = node.status;
    node.status = before === "online" ? "offline" : "online";
    node.seen_at = seconds();
    const site = picture.sites.find((candidate) => candidate.id === node.site);
    site.counts[before] -= 1;
    site.counts[node.status] += 1;
    const edges = picture.edges.filter((edge) => edge.source === node.id || edge.target === node.id);
    for (const edge of edges) {
      const down = node.status === "offline";
      edge.state = down ? "down" : "up";
      const own = edge.source === node.id ? 0 : 1;
      edge.ends[own].state = down ? "unknown" : "up";
      edge.ends[1 - own].state = down ? "down" : "up";
    }
    return { nodes: [node], edges, sites: [site] };
  }
  const timer = changeEvery > 0 ? setInterval(() => change(), changeEvery) : null;

  const json = (response, body, status = 200) => {
    response.writeHead(status, { "Content-Type": status === 200 ? "application/json" : "application/problem+json" });
    response.end(JSON.stringify(body));
  };
  const file = (response, path) => {
    const bytes = readFileSync(path);
    response.writeHead(200, { "Content-Type": TYPES[path.split(".").pop()] ?? "text/plain", "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff" });
    response.end(bytes);
  };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url.split("?")[0]);
    const query = new URLSearchParams(request.url.split("?")[1]);
    const [, first, second, , fourth] = path.split("/");
    try {
      if (files[path]) {
        const bytes = readFileSync(files[path]);
        response.writeHead(200, { "Content-Type": TYPES[path.split(".").pop()] });
        response.end(bytes);
      } else if (first === "static") file(response, join(ROOT, "static", normalize(path.split("/").slice(3).join("/"))));
      else if (path === "/api/v1/topology" && query.has("at")) {
        const then = past(picture, query.get("at"), seconds());
        json(response, then, then.status ?? 200);
      } else if (path === "/api/v1/topology") json(response, picture);
      else if (path === "/api/v1/history") json(response, history(Object.fromEntries([...query].map(([name, value]) => [name, Number(value)])), seconds()));
      else if (path === "/api/v1/stream") {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        say(response, "hello", { epoch: picture.epoch, seq: picture.seq, layout_rev: 1, now: seconds() });
        watchers.add(response);
        request.on("close", () => watchers.delete(response));
      } else if (path.endsWith("/told")) {
        const said = told(picture, fourth, Number(query.get("at")));
        json(response, said, said.status ?? 200);
      } else if (path.startsWith("/api/v1/agents/")) json(response, agentDetail(picture, fourth, seconds()) ?? { detail: "There is no such agent." });
      else if (path.startsWith("/api/v1/edges/")) json(response, picture.edges.find((edge) => edge.id === fourth));
      else if (path === "/api/v1/diff") json(response, diff(picture, Number(query.get("to"))));
      else if (path === "/api/v1/events") json(response, []);
      else if (path === "/api/v1/search") json(response, search(picture, query.get("q")));
      else if (path === "/api/v1/path") json(response, way(picture, query.get("from"), query.get("to")));
      else if (path === "/api/v1/what-if") json(response, loss(picture, query.get("without").split(",")));
      else if (path === "/api/v1/weak-points") json(response, weakest(picture));
      else if (path === "/api/v1/carriers") json(response, carriers(picture, query.get("net")));
      else if (path === "/api/v1/networks") json(response, networks(picture));
      else if (path === "/api/v1/layout") json(response, { layout_rev: 1, pinned: picture.nodes.slice(0, 2).map(({ id }) => id), steps: [{ step: 3, at: seconds() - 90, by: "olga", act: "pin", count: 1 }] });
      else if (path === "/status/alarms") json(response, alarms(picture, seconds()));
      else if (request.method === "POST") json(response, { code: "forbidden", title: "Not here", detail: "The preview changes nothing.", request_id: "preview" }, 403);
      else {
        const page = ["map", ""].includes(first) ? (shape === "empty" ? "empty" : "map") : second ? { agents: "agent", links: "link", reports: "report", alarms: second === "quality" ? "quality" : "alarm" }[first] : first;
        file(response, join(ROOT, "target/pages", `${page}.html`));
      }
    } catch (error) {
      json(response, { title: "Not found", detail: error.message }, 404);
    }
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve({
      url: `http://127.0.0.1:${server.address().port}`,
      picture,
      change,
      close: () => {
        clearInterval(timer);
        server.closeAllConnections();
        server.close();
      },
    }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await preview(process.argv[2] ?? "small", Number(process.argv[3] ?? 0));
  console.log(`open ${url}/map`);
}
