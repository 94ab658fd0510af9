// Words, chips and the rarer numbers as people read them. Pure.

import { span } from "./format.js";

export const NODE_WORDS = {
  up: "Reporting", late: "Late", down: "Down", stale: "Out of service",
  pending: "Waiting for approval", none: "No agent",
};

export const EDGE_WORDS = {
  up: "Up", idle: "Idle", down: "Down", one_way: "One way",
  half_configured: "Half configured", never: "Never connected", unknown: "Unknown",
};

export const END_WORDS = {
  up: "Handshake is young", idle: "Idle, nothing expects it", overdue: "Handshake overdue",
  down: "No handshake", never: "No handshake yet", missing: "Does not list the other end",
  unknown: "No fresh report",
};

// Which of the four chip colours an edge state wears.
export const EDGE_CHIP = {
  up: "up", idle: "stale", down: "down", one_way: "late",
  half_configured: "late", never: "stale", unknown: "stale",
};

export const NODE_CHIP = {
  up: "up", late: "late", down: "down", stale: "stale", pending: "stale", none: "stale",
};

export const CHIP_MARK = { up: "●", late: "◐", down: "✕", stale: "○" };

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export function bytes(count) {
  if (count === null || count === undefined) return "—";
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

export const signed = (seconds) => (seconds === 0 ? "none" : `${seconds > 0 ? "+" : "−"}${span(Math.abs(seconds))}`);

// Why a link is judged as it is: a sentence without the state, which a chip beside it tells.
export function because(reason) {
  const bare = reason.replace(/^(up|idle|down|one way|half configured|never|unknown): /, "");
  return bare && `${bare[0].toUpperCase()}${bare.slice(1)}${/[.!?]$/.test(bare) ? "" : "."}`;
}
