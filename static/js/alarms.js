// The list of open alarms beside the map, with a button to acknowledge them.

import { byId, fill, getJson, h, postJson } from "./dom.js";
import { ago, iso } from "./format.js";

const SEVERITIES = ["critical", "major", "minor", "warning", "info"];

const CHIP = { critical: "down", major: "down", minor: "late", warning: "late", info: "stale" };

const SHOWN = 50;

// Causes before what follows from them, not acknowledged first, then worst, then newest. Pure.
export function inOrder(alarms) {
  const rank = (alarm) => (alarm.inhibited_by ? 20 : 0) + (alarm.state === "acknowledged" ? 10 : 0) + SEVERITIES.indexOf(alarm.severity);
  return [...alarms].sort((a, b) => rank(a) - rank(b) || b.raised_at - a.raised_at || b.id - a.id);
}

// What of the map an alarm is about: a link, an agent, or nothing. Pure.
export function subjectOf(alarm) {
  if (alarm.kind.startsWith("edge.")) return { type: "edge", id: alarm.subject };
  return alarm.agent_id ? { type: "node", id: `a:${alarm.agent_id}` } : null;
}

export class AlarmList {
  // `options`: root, count (element), canAct, now(), choose(selection)
  constructor(options) {
    Object.assign(this, options);
    this.alarms = [];
  }

  async refresh() {
    try {
      this.alarms = inOrder((await getJson("/status/alarms")).filter((alarm) => !alarm.shelved_until && !alarm.maintenance));
      this.failure = null;
    } catch (error) {
      this.failure = error.message;
    }
    this.draw();
  }

  async acknowledge(alarm, button) {
    button.disabled = true;
    try {
      await postJson(`/api/v1/alarms/${alarm.id}/ack`, { note: null });
      await this.refresh();
    } catch (error) {
      this.failure = error.message;
      this.draw();
    }
  }

  item(alarm) {
    const acknowledged = alarm.state === "acknowledged";
    const kind = CHIP[alarm.severity] ?? "stale";
    const about = subjectOf(alarm);
    return h("li", { class: acknowledged || alarm.inhibited_by ? "quiet" : null },
      h("div", { class: "grow" },
        h("div", { class: "meta" },
          h("span", { class: `chip chip-${kind}` }, alarm.severity),
          h("a", { class: "muted", href: `/alarms/${alarm.id}` }, alarm.kind),
          h("span", { class: "age" }, h("time", { datetime: iso(alarm.raised_at), title: iso(alarm.raised_at), "data-age": alarm.raised_at }, ago(alarm.raised_at, this.now())), acknowledged ? ", acknowledged" : "", alarm.children ? `, ${alarm.children} follow` : "", alarm.inhibited_by ? ", follows" : "")),
        about
          ? h("button", { type: "button", class: "link wide", onclick: () => this.choose(about) }, alarm.message)
          : alarm.message),
      this.canAct && !acknowledged && h("button", {
        type: "button", class: "button small", "aria-label": `Ack: ${alarm.message}`,
        onclick: (event) => this.acknowledge(alarm, event.currentTarget),
      }, "Ack"));
  }

  draw() {
    if (this.root.matches(":active")) {
      setTimeout(() => this.draw(), 300);
      return;
    }
    const open = this.alarms.filter((alarm) => alarm.state !== "acknowledged").length;
    this.count.textContent = open > 0 ? String(open) : "";
    fill(this.root,
      this.failure && h("p", { class: "notice", role: "status" }, `Alarms may be out of date: ${this.failure.replace(/\.$/, "")}.`),
      this.alarms.length === 0 && !this.failure && h("p", { class: "muted" }, "No alarm is active."),
      this.alarms.length > 0 && h("ul", { class: "list" }, this.alarms.slice(0, SHOWN).map((alarm) => this.item(alarm))),
      this.alarms.length > SHOWN && h("p", {}, h("a", { href: "/alarms" }, `All ${this.alarms.length} alarms`)));
  }
}

// Beside the map of a page.
export const alarmsOf = (page) => new AlarmList({
  root: byId("alarm-list"),
  count: byId("alarm-count"),
  canAct: document.body.dataset.canAct === "true",
  now: () => page.now(),
  choose: (selection) => page.choose(selection, true),
});
