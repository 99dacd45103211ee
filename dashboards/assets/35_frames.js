// Frames: the maps of one epoch and method as 16-bit integers. Fetched once, kept while there is room, and fetched
// ahead of time around the epoch that is looked at. The layout is told in frames.py.
(() => {
  const { data } = repviz;
  const MAX_BYTES = 256e6;
  const AHEAD = 4;
  const BEHIND = 1;
  const STEPS = 32767;
  const MISSING = -32768;
  const FILL = 0.92; // of the map's half side: points at the edge stay whole

  const kept = new repviz.Kept(MAX_BYTES);
  const decode = repviz.block((header, buffer, offset) => ({ ...header, values: new Int16Array(buffer, offset) }));

  /** The frame of an epoch of the run that is looked at; a promise. */
  const frame = (epoch) => frameOf(data.manifest, epoch);

  /**
   * The frame of an epoch of any run, by its manifest; a promise. `pointsOf`: the manifest of a run whose points it is to
   * have, by their ids; those that it lacks are missing, and the frame says how many it has in `common`.
   */
  function frameOf(manifest, epoch, pointsOf = null) {
    const artifacts = manifest.artifacts.projection;
    const version = artifacts.versions[artifacts.epochs.indexOf(epoch)];
    const what = `frames/${repviz.method()}/${epoch}${pointsOf ? `/points-of/${encodeURIComponent(pointsOf.run)}` : ""}`;
    const url = repviz.address(manifest.run, what);
    return kept.get([url, version, pointsOf && [pointsOf.sample, manifest.sample]].join("#"), url, decode);
  }

  /** Fetch what will probably be looked at next; arguments as for `frameOf`. */
  function prefetch(epoch, manifest = data.manifest, pointsOf = null) {
    const epochs = manifest?.artifacts.projection?.epochs ?? [];
    const at = epochs.indexOf(epoch);
    for (const next of epochs.slice(Math.max(0, at - BEHIND), at + AHEAD + 1)) frameOf(manifest, next, pointsOf).catch(() => {});
  }

  /**
   * Names of the frame's layers, those of one output together: the penultimate layer is the last block by another name.
   * They are one where their maps take the same room to the last bit, over all epochs, so that none comes or goes.
   */
  function outputs(frame) {
    const boxes = data.manifest.extents[frame.method] ?? {};
    const boxAt = (at) => boxes[frame.layers[at]] ?? frame.extents[at];
    return frame.layers.reduce((found, layer, at) => {
      if (at && areOne(boxAt(at - 1), boxAt(at))) found.at(-1).push(layer);
      else found.push([layer]);
      return found;
    }, []);
  }

  /** Whether boxes are the same; those of layers without a map are nobody's. */
  function areOne(one, other) {
    return (one[0] < one[1] || one[2] < one[3]) && one.every((limit, at) => limit === other[at]);
  }

  /** x and y of a layer's points in [-1, 1], in a box given as [x_min, x_max, y_min, y_max]. */
  function place(frame, layer, box) {
    const at = frame.layers.indexOf(layer);
    const own = square(frame.extents[at]);
    const shown = square(box);
    const axes = [0, 1].map((axis) => {
      const values = axesOf(frame, layer)[axis];
      const scale = (own.half / STEPS / shown.half) * FILL;
      const shift = ((own.middle[axis] - shown.middle[axis]) / shown.half) * FILL;
      const placed = new Float32Array(frame.n);
      for (let row = 0; row < frame.n; row++) {
        // A component that is missing (a layer of one unit has no second one) is drawn in the middle.
        placed[row] = values[row] === MISSING ? 0 : values[row] * scale + shift;
      }
      return placed;
    });
    return { x: axes[0], y: axes[1] };
  }

  /** x and y of some rows only, in the order of `rows`. */
  function placeRows(frame, layer, box, rows) {
    const at = frame.layers.indexOf(layer);
    const own = square(frame.extents[at]);
    const shown = square(box);
    const [x, y] = [0, 1].map((axis) => {
      const from = (2 * at + axis) * frame.n;
      const shift = own.middle[axis] - shown.middle[axis];
      return Float32Array.from(rows, (row) => {
        const value = frame.values[from + row];
        return value === MISSING ? 0 : (((value / STEPS) * own.half + shift) / shown.half) * FILL;
      });
    });
    return { x, y };
  }

  function square([xMin, xMax, yMin, yMax]) {
    return {
      middle: [(xMin + xMax) / 2, (yMin + yMax) / 2],
      half: Math.max(xMax - xMin, yMax - yMin) / 2 || 1,
    };
  }

  /** Width and height of a box as shares of the larger of them, which `place` brings to [-1, 1]. */
  function shares([xMin, xMax, yMin, yMax]) {
    const most = Math.max(xMax - xMin, yMax - yMin);
    return most > 0 ? [(xMax - xMin) / most, (yMax - yMin) / most] : [1, 1];
  }

  /** Whether a layer has no map by this method at all. */
  function isBlank(frame, layer) {
    return axesOf(frame, layer).every((values) => values.every((value) => value === MISSING));
  }

  /** x and y of a layer's points as they are in the frame. */
  function axesOf(frame, layer) {
    const at = 2 * frame.layers.indexOf(layer);
    return [at, at + 1].map((axis) => frame.values.subarray(axis * frame.n, (axis + 1) * frame.n));
  }

  /** Which points a layer's map has: 1 or 0 for each; null where it has all of them. */
  function presence(frame, layer) {
    if (frame.common === undefined || frame.common === frame.n) return null;
    const [x, y] = axesOf(frame, layer);
    return Uint8Array.from(x, (value, row) => Number(value !== MISSING || y[row] !== MISSING));
  }

  repviz.offer({ frame, frameOf, prefetch, outputs, place, placeRows, shares, isBlank, axesOf, presence, MISSING });
})();
