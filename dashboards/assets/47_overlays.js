// What is drawn around the points of maps: an earlier epoch, the way of the selected points, the nearest neighbours.
(() => {
  const { state, data, on, emit } = repviz;
  const MOST_GHOSTS = 5000; // per map: of more points every k-th one has a ghost
  const MOST_TRAILS = 150;
  const LONGEST_TRAIL = 25; // epochs

  /** Fill the overlays of a grid that shows `frame`; what has to be fetched for them comes when it comes. */
  async function drawOverlays(grid, frame) {
    const version = (grid.overlayVersion = (grid.overlayVersion ?? 0) + 1);
    const [ghost, trail, near] = await Promise.all([ghostFrame(frame), trailFrames(frame), repviz.nearAt(frame.epoch)]);
    if (version !== grid.overlayVersion) return;
    for (const map of grid.maps) {
      if (!map.box || !frame.layers.includes(map.layer)) continue;
      map.overlay = {
        ghost: ghost && ghostOf(map, ghost),
        trails: trail && trailsOf(map, trail),
        near: near?.layers[map.layer] ?? null,
      };
      map.drawOverlay();
    }
    grid.frame = frame;
  }

  /** A frame that cannot be had is told by the map of its own epoch; here it is left out. */
  const quietly = (promise) => promise.catch(() => null);

  function ghostFrame(frame) {
    const there = data.manifest.artifacts.projection.epochs;
    return state.ghost === null || !there.includes(state.ghost) || state.ghost === frame.epoch ? null : quietly(repviz.frame(state.ghost));
  }

  async function trailFrames(frame) {
    if (!state.trails || !state.selection) return null;
    const there = data.manifest.artifacts.projection.epochs;
    const upTo = there.slice(0, there.indexOf(frame.epoch) + 1).slice(-LONGEST_TRAIL);
    const frames = await Promise.all(upTo.map((epoch) => quietly(repviz.frame(epoch))));
    return frames.filter((found) => found?.n === frame.n);
  }

  /** At most `most` of the rows, evenly spread. */
  function some(rows, most) {
    const stride = Math.ceil(rows.length / most);
    return stride < 2 ? rows : rows.filter((_, at) => at % stride === 0);
  }

  function ghostOf(map, frame) {
    if (!frame.layers.includes(map.layer)) return null;
    const shown = repviz.shownSelection() ?? repviz.shownRows() ?? Array.from({ length: frame.n }, (_, row) => row);
    return repviz.placeRows(frame, map.layer, map.box, some(shown, MOST_GHOSTS));
  }

  function trailsOf(map, frames) {
    const rows = some(repviz.shownSelection() ?? [], MOST_TRAILS);
    const there = frames.filter((frame) => frame.layers.includes(map.layer));
    const places = there.map((frame) => repviz.placeRows(frame, map.layer, map.box, rows));
    const colors = map.look.colors;
    return rows.map((row, i) => ({
      color: colors[repviz.coloring.indices[row]],
      x: places.map(({ x }) => x[i]),
      y: places.map(({ y }) => y[i]),
    }));
  }

  /** What is drawn of how many, for the reader. */
  function overlayNote() {
    const selected = repviz.shownSelection()?.length ?? 0;
    const shown = selected || (repviz.shownRows()?.length ?? data.sample.n);
    const parts = [];
    if (state.ghost !== null && shown > MOST_GHOSTS) parts.push(`ghosts of every ${Math.ceil(shown / MOST_GHOSTS)}th point`);
    if (state.trails && !selected) parts.push("select points to see their trails");
    if (state.trails && selected > MOST_TRAILS) parts.push(`trails of every ${Math.ceil(selected / MOST_TRAILS)}th selected point`);
    return parts.join(" · ");
  }

  function again() {
    for (const grid of repviz.grids) if (grid.active && grid.frame && data.sample) drawOverlays(grid, grid.frame);
    emit("overlays");
  }

  on("state", (changed) => {
    if (["selection", "point", "ghost", "trails", "classes", "splits"].some((key) => changed.has(key))) again();
  });
  on("manifest", ({ isNew }) => {
    if (isNew) for (const grid of repviz.grids) grid.frame = null;
    drawGhostChoices();
  });
  on("sample", again);
  on("state", (changed) => {
    if (changed.has("ghost")) drawGhostChoices();
    if (changed.has("trails")) repviz.mirror("trails", { checked: state.trails });
    if (changed.has("tool")) repviz.mirror("tool", { value: state.tool });
  });

  function drawGhostChoices() {
    const epochs = data.manifest?.artifacts.projection?.epochs ?? [];
    const options = epochs.map((epoch) => ({ value: String(epoch), label: `epoch ${epoch}` }));
    repviz.mirror("ghost", { data: options, value: epochs.includes(state.ghost) ? String(state.ghost) : null });
  }

  repviz.offer({ drawOverlays, overlayNote });
})();
