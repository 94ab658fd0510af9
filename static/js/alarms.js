// The list of open alarms beside the map, with a button to acknowledge them.

import { fill, getJson, h, problemOf } from "./dom.js";
import { ago, iso } from "./format.js";

const SEVERITIES = ["critical", "major", "minor", "warning", "info"];

const CHIP = { critical: "down", major: "down", minor: "late", warning: "late", info: "stale" };

const SHOWN = 50;

// Not acknowledged first, then worst, then newest. Pure.
export function inOrder(alarms) {
  const rank = (alarm) => (alarm.state === "acknowledged" ? 10 : 0) + SEVERITIES.indexOf(alarm.severity);
  return [...alarms].sort((a, b) => rank(a) - rank(b) || b.raised_at - a.raised_at || b.id - a.id);
}

export class AlarmList {
  // `options`: root, count (element), canAct, formToken, now(), choose(agentId)
  constructor(options) {
    Object.assign(this, options);
    this.alarms = [];
  }

  async refresh() {
    try {
      this.alarms = inOrder(await getJson("/status/alarms"));
      this.failure = null;
    } catch (error) {
      this.failure = error.message;
    }
    this.draw();
  }

  async acknowledge(alarm, button) {
    button.disabled = true;
    const response = await fetch(`/api/v1/alarms/${alarm.id}/ack`, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-Kattila-Form": this.formToken ?? "" },
      body: JSON.stringify({ note: null }),
    }).catch((error) => ({ ok: false, json: () => Promise.resolve({ detail: error.message }) }));
    if (response.ok) {
      await this.refresh();
      return;
    }
    this.failure = (await problemOf(response)).message;
    this.draw();
  }

  item(alarm) {
    const acknowledged = alarm.state === "acknowledged";
    const kind = CHIP[alarm.severity] ?? "stale";
    return h("li", { class: acknowledged ? "quiet" : null },
      h("span", { class: `chip chip-${kind}` }, alarm.severity),
      h("span", { class: "grow" },
        alarm.agent_id
          ? h("button", { type: "button", class: "link wide", onclick: () => this.choose(alarm.agent_id) }, alarm.message)
          : alarm.message,
        h("br"),
        h("span", { class: "muted" }, `${alarm.kind}, `, h("time", { datetime: iso(alarm.raised_at), title: iso(alarm.raised_at) }, ago(alarm.raised_at, this.now())), acknowledged ? ", acknowledged" : "")),
      this.canAct && !acknowledged && h("button", {
        type: "button", class: "button small", "aria-label": `Acknowledge: ${alarm.message}`,
        onclick: (event) => this.acknowledge(alarm, event.currentTarget),
      }, "Ack"));
  }

  draw() {
    const open = this.alarms.filter((alarm) => alarm.state !== "acknowledged").length;
    this.count.textContent = open > 0 ? String(open) : "";
    fill(this.root,
      this.failure && h("p", { class: "notice", role: "status" }, `Alarms may be out of date: ${this.failure}`),
      this.alarms.length === 0 && !this.failure && h("p", { class: "muted" }, "No alarm is active."),
      this.alarms.length > 0 && h("ul", { class: "list" }, this.alarms.slice(0, SHOWN).map((alarm) => this.item(alarm))),
      this.alarms.length > SHOWN && h("p", {}, h("a", { href: "/alarms" }, `All ${this.alarms.length} alarms`)));
  }
}
