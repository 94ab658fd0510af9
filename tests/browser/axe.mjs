// What axe-core finds on an open page. The library comes from npm (tests/run installs it), is put
// in beside the page through the debugger, and is no part of what the manager serves.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { artifact, healthy } from "./console.mjs";

const PLACE = fileURLToPath(new URL("../node_modules/axe-core/axe.min.js", import.meta.url));

let source = null;

function axe() {
  try {
    source ??= readFileSync(PLACE, "utf8");
  } catch (error) {
    throw new Error(`axe-core is missing, and no page can be judged without it: tests/run installs it, or npm ci (${error.code})`);
  }
  return source;
}

// The size of targets (WCAG 2.2, 2.5.8) is a rule that axe leaves off unless it is asked for.
const OPTIONS = { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } };

// Every finding as one line: the rule, what it says, and the elements.
export async function findings(page) {
  // Not through `page.read`: half a megabyte of library needs no answer.
  await page.send("Runtime.evaluate", { expression: `void (window.axe ?? (() => { ${axe()} })())` });
  return page.read(`axe.run(document, ${JSON.stringify(OPTIONS)}).then(({ violations }) => violations.map(({ id, help, nodes }) =>
    id + ": " + help + "\\n" + nodes.slice(0, 4).map((node) => "    " + node.html.slice(0, 200) + "\\n      " + (node.any[0] ?? node.all[0] ?? node.none[0])?.message).join("\\n")))`);
}

// A page as it should be: a picture of it is kept, nothing scrolls sideways, axe finds nothing, and the
// console is silent.
export async function sound(page, name) {
  await page.screenshot(artifact(name));
  assert.equal(await page.read("document.documentElement.scrollWidth <= innerWidth"), true, `${name} must not scroll sideways`);
  assert.deepEqual(await findings(page), [], name);
  healthy(page, name);
}
