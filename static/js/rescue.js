// What is left when the map cannot be drawn: the manager's table in the stage's place, with the reason.
// Runs after the map's own script, whether that came or not.

const byId = (id) => document.getElementById(id);

// The table of what the map was asked for, at its time.
function table() {
  const asked = new URLSearchParams(location.search);
  for (const name of [...asked.keys()]) if (!["q", "at"].includes(name)) asked.delete(name);
  return `/agents?${asked}`;
}

function line(text, href, label) {
  const notice = Object.assign(document.createElement("p"), { className: "notice bad", id: "rescue" });
  notice.setAttribute("role", "alert");
  const link = Object.assign(document.createElement("a"), { href, textContent: label });
  notice.append(text, " ", link);
  return notice;
}

// The page of the table, as a document; null if the manager does not answer.
const fetched = (address) => new Promise((done) => {
  const request = new XMLHttpRequest();
  request.responseType = "document";
  request.onloadend = () => done(request.status === 200 ? request.responseXML : null);
  request.open("GET", address);
  request.send();
});

let rescued = false;

// Puts the table where the stage was, once.
export async function rescue(reason) {
  if (rescued) return;
  rescued = true;
  const box = document.querySelector(".stage-box");
  document.body.classList.add("rescued");
  // The search asks the table now.
  byId("search").addEventListener("submit", (event) => event.stopImmediatePropagation(), true);
  const there = await fetched(table());
  const parts = there ? [...there.querySelectorAll("main > .scroll, main > .scroll ~ *")].map((part) => document.importNode(part, true)) : [];
  for (const part of parts) for (const input of part.querySelectorAll("input")) input.remove();
  const words = parts.length > 0 ? `This is the table of agents, as of ${new Date().toISOString().slice(11, 19)} UTC.` : "The tables hold the same facts.";
  // What is there stays for the scripts that still run, and is hidden (map.css).
  const instead = Object.assign(document.createElement("div"), { className: "instead" });
  instead.append(line(`The map cannot be drawn: ${reason}. ${words}`, parts.length > 0 ? location.href : table(), parts.length > 0 ? "Try the map again" : "Table of agents"), ...parts);
  box.append(instead);
}

// An error elsewhere leaves the map as it is, with a way to the facts.
window.addEventListener("error", ({ error }) => {
  const bar = byId("bar");
  if (!error || rescued || !bar) return;
  bar.hidden = false;
  bar.firstElementChild.textContent = `Something on this page failed: ${error.message}.`;
  Object.assign(bar.lastElementChild, { hidden: false, href: table(), textContent: "Show the table of agents" });
});

const stage = byId("stage");
if (!stage.getContext?.("2d")) rescue("this browser gives no canvas to draw on");
else if (!stage.dataset.begun) rescue("its scripts did not start");
