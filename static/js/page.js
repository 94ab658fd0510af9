// What every page needs of JavaScript, which is little: the theme, ages that keep counting, sharing.

import { ago } from "./format.js";
import { startTheme } from "./theme.js";

const button = document.getElementById("theme");
if (button) startTheme(button, () => document.dispatchEvent(new Event("kattila:theme")));

// Ages are counted from the manager's clock at the time of the page, not from this one's.
const served = Number(document.body.dataset.now);
const loaded = Date.now();
const clock = () => served + (Date.now() - loaded) / 1000;

// Without a script the link leads to a page that does the same.
for (const way of document.querySelectorAll("[data-share]")) {
  way.addEventListener("click", async (event) => {
    event.preventDefault();
    document.dispatchEvent(new Event("kattila:address"));
    const { share } = await import("./share.js");
    share(location.pathname + location.search, Number(way.dataset.share), Math.floor(clock()));
  });
}

if (served > 0) {
  setInterval(() => {
    if (document.hidden) return;
    const now = clock();
    for (const time of document.querySelectorAll("time[data-age]")) {
      time.textContent = ago(Number(time.dataset.age), now);
    }
  }, 10000);
}
