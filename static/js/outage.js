// What a silent host or a dead link took with it, and what changed just before: asked of the manager
// when it is chosen. Loaded with the details.

import { getJson, h } from "./dom.js";
import { ago, iso, plural, span } from "./format.js";
import { time } from "./panel.js";
import { look } from "./scene.js";
import { CHIP_MARK, EDGE_CHIP } from "./words.js";

const MANY = 8;
const LINES = 6;
// The answer is asked for again at most this often while the thing stays chosen.
const AGAIN_MS = 10000;
// What is new at the very beginning of the history was only found there.
const FOUND_S = 60;
const STATUS = { online: ["up", "reports again"], stale: ["late", "is late"], offline: ["down", "went silent"] };
const LINK = { lost: "was lost", gone: "is gone", restored: "is back", new: "is new", changed: "changed" };
const SEVERE = { critical: "down", major: "down", minor: "late", warning: "late", info: "stale" };

// When a thing that is in trouble died, or fell silent; null for what is well.
export function diedAt(scene, type, member, details) {
  if (type === "edge") return member.state === "down" ? member.since : null;
  if (type !== "node" || !["down", "late"].includes(look(member))) return null;
  return details?.told?.received_at ?? details?.last_seen_at ?? member.seen_at ?? scene.past?.since[member.id] ?? null;
}

// What an alarm says, without the reckoning of handshakes behind it.
const short = (kind, message) => (kind.startsWith("edge.") ? message.split(": ")[0] : message);

// What changed before a time, newest first: [{at, look, text, href}]. `diff` is an answer of
// /api/v1/diff, `own` events of the host itself. A link or agent that an alarm tells of is not told of
// twice. Pure.
export function before(diff, own, died) {
  const { links, agents, alarms_raised: raised, alarms_cleared: cleared, from } = diff;
  const told = (labels) => raised.some(({ message }) => [labels, labels.toReversed()].some((pair) => message.startsWith(`${pair.join(" - ")} `)));
  const toldOf = (agent) => raised.some(({ kind, agent_id: id }) => id === agent && kind.startsWith("agent."));
  const found = (change) => change.fate === "new" && change.at.at(-1) <= from + FOUND_S;
  const lines = [
    ...raised.map(({ id, at, kind, severity, message }) => ({ at, look: SEVERE[severity] ?? "stale", text: short(kind, message), href: `/alarms/${id}` })),
    ...cleared.map(({ id, at, kind, message }) => ({ at, look: "up", text: `Over: ${short(kind, message)}`, href: `/alarms/${id}` })),
    ...links.filter((change) => !found(change) && !told(change.labels))
      .map(({ id, labels, fate, after, at }) => ({ at: at.at(-1), look: EDGE_CHIP[after] ?? "stale", text: `${labels.join(" ⇄ ")} ${LINK[fate]}`, href: `/links/${id}` })),
    ...agents.filter((change) => !found(change) && !toldOf(change.agent_id))
      .map(({ agent_id: id, label, fate, after, at }) => ({ at: at.at(-1), look: STATUS[after]?.[0] ?? "stale", text: `${label} ${fate === "gone" || fate === "new" ? LINK[fate] : STATUS[after]?.[1] ?? LINK[fate]}`, href: `/agents/${encodeURIComponent(id)}` })),
    ...own.filter(({ kind }) => /^(interface|address|route|peer)\./.test(kind))
      .map(({ kind, at, subject }) => ({ at, look: "stale", text: `${kind.replace(".", " ")}: ${subject}`, href: null })),
  ];
  return lines.filter(({ at }) => at && at <= died).sort((a, b) => b.at - a.at);
}

// What is marked on the stage: whoever was cut off.
const marks = (ids) => ({ gone: { nodes: new Set(), edges: new Set() }, lost: ids, reports: new Set(), weakNodes: new Set(), weakLinks: new Set() });

async function find(scene, type, member, died) {
  const then = scene.past ? `&at=${scene.past.at}` : "";
  const agent = type === "node" ? member.agent_id : null;
  // The history may begin later, and who sees only some of it may see none: the rest is told all the same.
  const none = () => null;
  const [loss, diff, own] = await Promise.all([
    getJson(`/api/v1/what-if?without=${encodeURIComponent(member.id)}${then}`),
    getJson(`/api/v1/diff?to=${died}`).catch(none),
    agent ? getJson(`/api/v1/events?agent_id=${encodeURIComponent(agent)}&before=${Number.MAX_SAFE_INTEGER}&limit=100`).catch(none) : null,
  ]);
  const lost = loss.cut_off.flatMap(({ nodes }) => nodes);
  const since = diff?.from ?? died;
  return { loss, lost, marks: marks(new Set(lost.map(({ id }) => id))), from: since, before: diff && before(diff, (own ?? []).filter(({ at }) => at > since + FOUND_S), died) };
}

// Keeps the answer with the panel; the panel is drawn anew when it is there.
function asked(panel, scene, type, member, died) {
  const key = `${member.id} ${died} ${scene.past?.at ?? ""}`;
  const known = panel.outage?.key === key ? panel.outage : { key, asked: 0 };
  if (Date.now() - known.asked < AGAIN_MS) return known;
  panel.outage = { ...known, asked: Date.now() };
  find(scene, type, member, died).then((found) => found, (error) => ({ failure: error.detail ?? error.message })).then((found) => {
    if (panel.outage?.key !== key) return;
    Object.assign(panel.outage, found);
    panel.draw();
    panel.verbs.marked();
  });
  return panel.outage;
}

const few = (panel, things) => things.slice(0, MANY).map(({ id, label }, i) => [i > 0 && ", ", panel.choose("node", id, label)]);

function cutOff(panel, { loss, lost }, gone) {
  const count = lost.length;
  const through = loss.reports_lost;
  return [
    h("h3", {}, gone ? "What it cut off" : "What it would cut off"),
    h("p", {}, count === 0 ? "Nobody: who is left still reaches everybody." : [`${plural(count, "node")} can no longer reach the rest: `, few(panel, lost), count > MANY && ` and ${count - MANY} more`, "."]),
    through.length > 0 && h("p", {}, `Reports came through it of ${plural(through.length, "agent")}: `, few(panel, through), through.length > MANY && ` and ${through.length - MANY} more`, "."),
    count > 0 && h("p", { class: "actions" }, panel.button("Show what is cut off", () => panel.verbs.frame(lost.map(({ id }) => id)))),
  ];
}

function justBefore({ before: lines, from }, died) {
  const line = ({ at, look: kind, text, href }) => h("li", {},
    h("span", { class: `sign sign-${kind}`, "aria-hidden": "true" }, CHIP_MARK[kind]),
    h("span", { class: "grow" }, href ? h("a", { class: "plain", href }, text) : text),
    h("span", { class: "age" }, h("time", { datetime: iso(at), title: iso(at) }, at === died ? "then" : `${span(died - at)} before`)));
  return [
    h("h3", {}, "What changed before"),
    lines === null ? h("p", { class: "muted" }, "The history does not reach back so far.")
      : lines.length === 0 ? h("p", { class: "muted" }, `Nothing in the ${span(died - from)} before.`)
        : h("ul", { class: "list before" }, lines.slice(0, LINES).map(line)),
    lines !== null && h("p", {}, h("a", { href: `/changes?from=${from}&to=${died}` }, "All changes until then")),
  ];
}

// The part of the panel; nothing for what is well.
export function outage(panel, scene, type, member) {
  const died = diedAt(scene, type, member, panel.details);
  if (died === null) {
    panel.outage = null;
    return null;
  }
  const now = panel.verbs.now();
  const gone = type === "edge" || look(member) === "down";
  const since = type === "node" && gone && (panel.details?.status_since ?? scene.past?.since[member.id]);
  // Of the past it is the report that is kept which tells when it was last heard.
  const waits = scene.past && type === "node" && !panel.details && !panel.failure;
  const found = waits ? {} : asked(panel, scene, type, member, died);
  return h("div", { class: `outage ${gone ? "" : "late"}`, "data-part": "outage" },
    h("p", {}, type === "edge" ? ["Down since ", h("strong", {}, clock(died, now)), `, ${ago(died, now)}.`]
      : ["Last heard ", h("strong", {}, clock(died, now)), ", ", time(died, now, scene.past), since ? [`; called down at ${clock(since, now)}`] : "", "."]),
    found.failure && h("p", { class: "notice" }, `What it cut off is not known: ${found.failure}`),
    found.loss ? [cutOff(panel, found, gone), justBefore(found, died)] : !found.failure && h("p", { class: "muted" }, "Finding out what it cut off"));
}

// A time as people say it: of the same day without the day. Times are UTC everywhere.
function clock(at, now) {
  const text = iso(at);
  return iso(now).slice(0, 10) === text.slice(0, 10) ? `${text.slice(11, 19)} UTC` : `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
}

