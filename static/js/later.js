// A part of the page whose script is loaded once the picture is on its way, or when it is wanted.

export class Later {
  // `make` loads the script and makes the part.
  constructor(make) {
    this.make = make;
    this.part = null;
    this.coming = null;
  }

  // Does something with the part: now, or in the order of asking when it is there. What could not be
  // loaded is tried again with the next wish.
  with(run) {
    if (this.part) run(this.part);
    else this.load().then(run, () => {});
  }

  load() {
    this.coming ??= this.make().then((part) => {
      this.part = part;
      return part;
    }, (error) => {
      this.coming = null;
      throw error;
    });
    return this.coming;
  }
}
