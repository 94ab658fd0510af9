// Light, dark, or as the system says. The choice is a cookie, so that the manager can write it
// into the page and nothing flashes.

const ORDER = ["auto", "light", "dark"];
const WORDS = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };
const YEAR_SECONDS = 31536000;

export function startTheme(button, changed) {
  const root = document.documentElement;
  const show = () => {
    const theme = root.dataset.theme ?? "auto";
    button.textContent = SIGNS[theme];
    button.setAttribute("aria-label", WORDS[theme]);
    button.title = WORDS[theme];
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = ORDER[(ORDER.indexOf(root.dataset.theme ?? "auto") + 1) % ORDER.length];
    root.dataset.theme = next;
    document.cookie = `kattila_theme=${next}; Path=/; SameSite=Strict; Max-Age=${YEAR_SECONDS}`;
    show();
    changed();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  window.matchMedia("(forced-colors: active)").addEventListener("change", changed);
  show();
}
