// What every page needs of JavaScript, which is little: the theme, ages that keep counting, sharing.

import { ago } from "./format.js";
import { startTheme } from "./theme.js";

const button = document.getElementById("theme");
if (button) startTheme(button, () => document.dispatchEvent(new Event("kattila:theme")));

// Without a script the button leads to a page that does the same.
for (const link of document.querySelectorAll("a[data-share]")) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    document.dispatchEvent(new Event("kattila:address"));
    const { share } = await import("./share.js");
    share(location.pathname + location.search, Number(link.dataset.share));
  });
}

// Ages are counted from the manager's clock at the time of the page, not from this one's.
const served = Number(document.body.dataset.now);
const loaded = Date.now();
if (served > 0) {
  setInterval(() => {
    if (document.hidden) return;
    const now = served + (Date.now() - loaded) / 1000;
    for (const time of document.querySelectorAll("time[data-age]")) {
      time.textContent = ago(Number(time.dataset.age), now);
    }
  }, 10000);
}
