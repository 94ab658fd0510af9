// What is taken away of the map: files, pictures, and paper. Paper gets the manager's picture (/map.svg)
// instead of the stage, in light colours and with legend, time and what was asked.

import { byId } from "./dom.js";

// The picture as a document, fetched while the browser waits: whatever is not there when the event
// ends is not printed. Null if the manager does not answer.
function fetched(address) {
  const request = new XMLHttpRequest();
  try {
    request.open("GET", address, false);
    request.send();
    return request.status === 200 ? request.responseXML?.documentElement ?? null : null;
  } catch {
    return null;
  }
}

export class Files {
  constructor(page) {
    this.page = page;
    // Also while the menu stays open and the map goes on.
    for (const type of ["toggle", "change", "pointerover", "focusin"]) byId("export").addEventListener(type, () => this.aim());
    byId("png").addEventListener("click", () => this.keep(1));
    byId("png-fine").addEventListener("click", () => this.keep(2));
    window.addEventListener("beforeprint", () => this.print(byId("paper")));
    window.addEventListener("afterprint", () => {
      document.body.classList.remove("printing");
      byId("paper").replaceChildren();
    });
  }

  // What is taken away is what the address tells of the map; a picture is as large as the stage.
  aim() {
    const { painter, address } = this.page;
    const params = new URLSearchParams(address.text());
    for (const link of byId("export").querySelectorAll("a")) link.search = params;
    params.set("w", Math.max(320, Math.round(painter.size.w)));
    params.set("h", Math.max(320, Math.round(painter.size.h) + 56));
    byId("picture").search = params;
  }

  // A picture of what is shown, as a file.
  async keep(scale) {
    this.aim();
    try {
      await (await import("./png.js")).save(this.page, scale);
    } catch (error) {
      this.page.note(`The picture could not be made: ${error.message}.`);
    }
  }

  // Without the manager's picture the stage itself is printed.
  print(paper) {
    this.aim();
    const picture = fetched(byId("picture").href);
    if (!picture) return;
    paper.replaceChildren(document.importNode(picture, true));
    document.body.classList.add("printing");
  }
}
