// Frames: the maps of one epoch and method as 16-bit integers. Fetched once, kept while there is room, and fetched
// ahead of time around the epoch that is looked at. The layout is told in frames.py.
(() => {
  const { state, data } = repviz;
  const MAX_BYTES = 256e6;
  const AHEAD = 4;
  const BEHIND = 1;
  const STEPS = 32767;
  const MISSING = -32768;
  const FILL = 0.92; // of the map's half side: points at the edge stay whole

  const kept = new Map(); // key -> { promise, bytes }, the least recently used first

  /** Header and where the content begins. */
  function unpack(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    return { header, offset: 4 + length };
  }

  /** The frame of an epoch of the run that is looked at; a promise. */
  function frame(epoch) {
    const artifacts = data.manifest.artifacts.projection;
    const version = artifacts.versions[artifacts.epochs.indexOf(epoch)];
    const method = repviz.method();
    const key = [data.manifest.run, method, epoch, version].join("/");
    const found = kept.get(key);
    if (found) {
      kept.delete(key);
      kept.set(key, found);
      return found.promise;
    }
    const entry = { promise: load(data.manifest.run, method, epoch, key), bytes: 0 };
    kept.set(key, entry);
    return entry.promise;
  }

  async function load(run, method, epoch, key) {
    try {
      const response = await fetch(repviz.address(run, `frames/${method}/${epoch}`));
      if (!response.ok) throw await repviz.problem(response);
      const buffer = await response.arrayBuffer();
      const { header, offset } = unpack(buffer);
      const entry = kept.get(key);
      if (entry) entry.bytes = buffer.byteLength;
      makeRoom(key);
      return { ...header, values: new Int16Array(buffer, offset) };
    } catch (error) {
      kept.delete(key); // asked again next time: the file may have been mended
      throw error;
    }
  }

  function makeRoom(except) {
    let total = 0;
    for (const { bytes } of kept.values()) total += bytes;
    for (const [key, { bytes }] of kept) {
      if (total <= MAX_BYTES) return;
      if (key === except) continue;
      kept.delete(key);
      total -= bytes;
    }
  }

  /** Fetch what will probably be looked at next. */
  function prefetch(epoch) {
    const epochs = data.manifest?.artifacts.projection?.epochs ?? [];
    const at = epochs.indexOf(epoch);
    for (const next of epochs.slice(Math.max(0, at - BEHIND), at + AHEAD + 1)) frame(next).catch(() => {});
  }

  /** x and y of a layer's points in [-1, 1], in a box given as [x_min, x_max, y_min, y_max]. */
  function place(frame, layer, box) {
    const at = frame.layers.indexOf(layer);
    const own = square(frame.extents[at]);
    const shown = square(box);
    const axes = [0, 1].map((axis) => {
      const values = frame.values.subarray((2 * at + axis) * frame.n, (2 * at + axis + 1) * frame.n);
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
    const at = frame.layers.indexOf(layer);
    return frame.values.subarray(2 * at * frame.n, (2 * at + 2) * frame.n).every((value) => value === MISSING);
  }

  repviz.offer({ unpack, frame, prefetch, place, placeRows, shares, isBlank });
})();
