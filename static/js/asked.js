// Stands for the questions that are put to the map (tools.js) until somebody asks one, by a button, a
// key or the address: their scripts are loaded then.

export class Asked {
  // The same as Tools takes.
  constructor(root, verbs) {
    this.root = root;
    this.verbs = verbs;
    this.tools = null;
    for (const verb of ["focus", "site", "path", "without", "end"]) this[verb] = (...what) => this.call(verb, what);
  }

  get asks() {
    const { focus, site, path, without } = this.verbs.state;
    return Boolean(focus || site || path || without);
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

  // What an address names and the map does not have is left out; how many things that were.
  prune() {
    const { state } = this.verbs;
    const scene = this.verbs.scene();
    let unknown = 0;
    if (state.focus && !scene.nodes.has(state.focus.id)) [state.focus, unknown] = [null, unknown + 1];
    if (state.site && !scene.sites.has(state.site)) [state.site, unknown] = [null, unknown + 1];
    const known = (state.without ?? []).filter((id) => scene.nodes.has(id) || scene.edges.has(id));
    if (state.without && known.length < state.without.length) [unknown, state.without] = [unknown + state.without.length - known.length, known];
    return unknown;
  }

  draw() {
    this.tools?.draw();
  }

  async load() {
    const [{ Tools }] = await Promise.all([import("./tools.js"), this.verbs.whole()]);
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
}
