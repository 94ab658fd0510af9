// Stands for the questions that are put to the map (tools.js) until somebody asks one, by a button, a
// key or the address: their scripts are loaded then.

export class Asked {
  // The same as Tools takes.
  constructor(root, verbs) {
    this.root = root;
    this.verbs = verbs;
    this.tools = null;
  }

  get asks() {
    const { focus, path, without } = this.verbs.state;
    return Boolean(focus || path || without);
  }

  get legs() {
    return this.tools?.legs ?? [];
  }

  get loss() {
    return this.tools?.loss ?? null;
  }

  within() {
    return this.tools?.within() ?? [];
  }

  takes(target) {
    return this.tools?.takes(target) ?? false;
  }

  leave() {
    return this.tools?.leave() ?? false;
  }

  prune() {
    return this.tools?.prune() ?? 0;
  }

  draw() {
    this.tools?.draw();
  }

  async load() {
    const { Tools } = await import("./tools.js");
    this.tools ??= new Tools(this.root, this.verbs);
    return this.tools;
  }

  // The questions that the address asks are answered once they can be.
  ask(again = false) {
    if (this.tools) this.tools.ask(again);
    else if (this.asks) this.load().then(() => this.verbs.loaded(), () => this.verbs.say("The question of the address could not be put: its scripts did not load"));
  }

  async call(verb, what) {
    const tools = await this.load().catch(() => null);
    if (tools) tools[verb](...what);
    else this.verbs.say("This part of the map could not be loaded; try again");
  }

  focus(...what) {
    this.call("focus", what);
  }

  path(...what) {
    this.call("path", what);
  }

  without(...what) {
    this.call("without", what);
  }

  end(name) {
    this.tools?.end(name);
  }
}
