// What every page needs of JavaScript, which is little: the theme and ages that keep counting.

import { ago } from "./format.js";
import { startTheme } from "./theme.js";

const button = document.getElementById("theme");
if (button) startTheme(button, () => document.dispatchEvent(new Event("kattila:theme")));

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
