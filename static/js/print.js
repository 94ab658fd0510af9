// What is printed of the map: the manager's picture of it (/map.svg) instead of the stage, in light
// colours and with legend, time and what was asked. Loaded once the map is drawn.

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

// `address` says where the picture is of what is shown now. Without one the stage itself is printed.
export function printsPicture(paper, address) {
  window.addEventListener("beforeprint", () => {
    const picture = fetched(address());
    if (!picture) return;
    paper.replaceChildren(document.importNode(picture, true));
    document.body.classList.add("printing");
  });
  window.addEventListener("afterprint", () => {
    document.body.classList.remove("printing");
    paper.replaceChildren();
  });
}
