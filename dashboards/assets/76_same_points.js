// Maps of the compared runs side by side: one layer, the points of the open run in each, found by their ids.
(() => {
  const { state, data, on } = repviz;
  const LEAST_ROOM = 400;

  class SamePoints extends repviz.Grid {
    constructor(mount) {
      super(mount, "compare");
      this.turns = new Map(); // run, layer and method -> its turn, which does not change from epoch to epoch
    }

    get active() {
      return super.active && repviz.compared().length > 1;
    }

    room() {
      return Math.max(LEAST_ROOM, innerHeight * 0.55);
    }

    /** A layer is not chosen by a click on a run. */
    events() {
      return { ...super.events(), focus: null };
    }

    coloringAt() {
      return repviz.byClass(); // what the open run says of a point is not what the others say
    }

    drawOverlays() {} // ghosts, trails and neighbours are those of the open run

    async scenes(epoch) {
      const base = await repviz.frame(epoch);
      const layer = repviz.oneLayer(base.layers);
      const own = { key: state.run, layer, frame: base, box: repviz.boxOf(data.manifest, base, layer) };
      return [own, ...(await Promise.all(repviz.compared().slice(1).map((run) => this.scene(run, layer, base))))];
    }

    async scene(run, layer, base) {
      const { manifest, problem } = repviz.pinned(run);
      if (problem) return { key: run, problem };
      if (!manifest) return { key: run, problem: "loading …" };
      const epoch = repviz.nearest(manifest.artifacts.projection?.epochs ?? [], repviz.currentEpoch());
      if (epoch === null) return { key: run, problem: "this run has no projection" };
      try {
        const frame = await repviz.frameOf(manifest, epoch, data.manifest);
        if (!frame.layers.includes(layer)) return { key: run, problem: `this run has no layer ${layer}; it has ${frame.layers.join(", ")}` };
        if (!frame.common) return { key: run, problem: `none of its points has the id of a point of ${state.run}` };
        return { key: run, run, layer, frame, box: repviz.boxOf(manifest, frame, layer), turn: this.turn(run, layer, base, frame) };
      } catch (error) {
        return { key: run, problem: `epoch ${epoch}: ${error.message}` };
      }
    }

    turn(run, layer, base, frame) {
      const key = [state.run, run, layer, repviz.method()].join("/");
      if (!this.turns.has(key)) this.turns.set(key, repviz.bestTurn(base, frame, layer));
      return this.turns.get(key);
    }

    prefetch(epoch) {
      super.prefetch(epoch);
      for (const run of repviz.compared().slice(1)) {
        const { manifest } = repviz.pinned(run);
        const there = repviz.nearest(manifest?.artifacts.projection?.epochs ?? [], repviz.currentEpoch());
        if (there !== null) repviz.prefetch(there, manifest, data.manifest);
      }
    }
  }

  const drawSamePoints = () => repviz.grids.filter((grid) => grid instanceof SamePoints).forEach((grid) => grid.draw(0));

  on("pinned", drawSamePoints);
  on("state", (changed) => changed.has("pinned") && drawSamePoints());

  repviz.offer({ SamePoints });
})();
