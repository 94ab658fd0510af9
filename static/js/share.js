// The dialog that shares what a page shows: the address for people with an account, and a link for
// those without. Loaded when somebody asks for it.

import { fill, h, postJson } from "./dom.js";
import { iso, plural } from "./format.js";

const DAY_S = 86400;
const LIVES = [1, 7, 30, 90, 365];

// A text to copy. Where the clipboard is closed to us it stays selected, to be copied by hand.
function copied(id, label, text) {
  const field = h("input", { type: "text", id, readonly: true, value: text, onfocus: () => field.select() });
  const said = h("span", { role: "status", class: "muted" });
  const copy = async () => {
    field.select();
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    said.textContent = done ? "Copied" : "Selected: copy it with Ctrl+C";
    if (!done) field.focus();
  };
  const part = h("div", { class: "field" }, h("label", { for: id }, label), h("div", { class: "copy" }, field, h("button", { type: "button", class: "button", "aria-label": `Copy: ${label}`, onclick: copy }, "Copy")), said);
  return { part, copy, show: (other) => field.setAttribute("value", (field.value = other)) };
}

// A view of the map as it is at a time, whatever happens afterwards; null if it has its time already,
// or is of something else. Pure.
export function frozen(view, now) {
  const [path, query = ""] = view.split("?");
  const params = new URLSearchParams(query);
  if (!["/", "/map"].includes(path) || params.has("at")) return null;
  params.set("at", String(now));
  return `/map?${params}`;
}

// What of the map they shall see: what happens from now on, or what is shown now.
function moment(now, chosen) {
  const choice = (value, text, checked) => h("label", {}, h("input", { type: "radio", name: "moment", value, checked, onchange: () => chosen(value === "then") }), ` ${text}`);
  return h("fieldset", { class: "moment" }, h("legend", {}, "They see the network"),
    choice("live", "as it is when they look", true),
    choice("then", `as it is now, at ${iso(now).slice(11, 19)} UTC`, false));
}

// Opens the dialog for a view, seen at a time of the manager's clock. A link to it may work for so many
// days; none may be made if there are none.
export function share(live, most, now) {
  let view = live;
  const then = frozen(live, now);
  const days = [...LIVES.filter((life) => life < most), most];
  const made = h("div", { class: "made" });
  const lasts = h("select", { id: "share-days" }, days.map((day) => h("option", { value: day, selected: day === Math.min(7, most) }, plural(day, "day"))));
  const named = h("input", { type: "checkbox", checked: true, id: "share-named" });
  const masked = h("input", { type: "checkbox", id: "share-masked" });
  const make = h("button", { class: "button primary" }, "Make a link");
  const form = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      make.disabled = true;
      try {
        const link = await postJson("/api/v1/shares", { view, for_s: Number(lasts.value) * DAY_S, named: named.checked, masked: masked.checked });
        const { part, copy } = copied("share-link", "The link, shown this once", new URL(link.path, location.href).href);
        fill(made, part, h("p", { class: "muted" }, `It shows ${plural(link.fleets.length, "fleet")} (${link.fleets.join(", ")}) until ${iso(link.expires_at)}. `, h("a", { href: "/shares" }, "Take it back under shared links")));
        await copy();
      } catch (error) {
        fill(made, h("p", { class: "notice bad", role: "alert" }, error.message));
      } finally {
        make.disabled = false;
      }
    },
  }, h("h3", {}, "For anybody who holds the link"),
  h("p", {}, "They see this view, and the map and tables of the same fleets. They need no account and change nothing."),
  h("p", { class: "actions" }, h("label", { for: "share-days" }, "Works for "), lasts, h("label", {}, named, " Tell them who shared it"), h("label", {}, masked, " Under pseudonyms instead of names, addresses and keys")), make, made);
  const address = copied("share-address", "The address of this page", new URL(view, location.href).href);
  const choose = (still) => {
    view = still ? then : live;
    address.show(new URL(view, location.href).href);
    made.replaceChildren();
  };
  const dialog = h("dialog", { id: "share", "aria-labelledby": "share-title", onclose: () => dialog.remove() },
    h("h2", { id: "share-title" }, "Share this view"),
    then && moment(now, choose),
    h("h3", {}, most > 0 ? "For people with an account" : "For whoever may open this console"),
    address.part,
    most > 0 && form,
    h("p", { class: "close" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
  (most > 0 ? lasts : dialog.querySelector("#share-address + button")).focus();
}
