// Numbers and times as people read them: what the first picture needs of it. Pure.

// A span of seconds in its two leading units at most: "42 s", "7 min", "2 h", "3 d".
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

export const ago = (then, now) => (then ? `${span(now - then)} ago` : "never");

export const iso = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
