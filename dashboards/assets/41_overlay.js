// What lies over the points of a map (class names, rings, lines to neighbours) and under them (an earlier epoch, trails).
(() => {
  const { state, data } = repviz;
  const RING = 9; // pixels: radius of the ring of the chosen point
  const LABEL_FONT = "600 11px 'Inter Variable', Inter, sans-serif";
  const SMALL_CLUSTER = 12; // pixels: median distance from the middle, in height
  const LONGEST_NAME = 26; // characters of a class name on the map

  const shortened = (name) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name);

  function drawOver(map) {
    const over = fresh(map.labels, map);
    const { ghost, trails } = map.overlay;
    // A canvas that has been touched is put together anew with every picture: most of the time this one is not.
    const under = ghost || trails || map.isUnderDrawn ? fresh(map.under, map) : null;
    map.isUnderDrawn = Boolean(ghost || trails);
    if (!map.message.hidden || !map.place || !map.look) return;
    paintUnder(map, under);
    paintOver(map, over);
  }

  function paintUnder(map, under) {
    const { ghost, trails } = map.overlay;
    if (ghost) drawGhost(map, under, ghost);
    if (trails) drawTrails(map, under, trails);
  }

  function paintOver(map, over) {
    const { near } = map.overlay;
    if (state.labels && map.centers) drawNames(map, over);
    if (near) drawNear(map, over, near);
    if (state.point !== null && map.has(state.point)) drawRing(map, over, state.point, RING, 2.5);
    if (map.marked !== null && map.marked !== state.point && map.has(map.marked)) drawRing(map, over, map.marked, 8, 2);
  }

  /** The context of an empty canvas, in pixels of the page. */
  function fresh(canvas, map) {
    const context = canvas.getContext("2d");
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, map.stage.clientWidth, map.stage.clientHeight);
    return context;
  }

  function drawNames(map, context) {
    const { clientWidth: width, clientHeight: height } = map.stage;
    const { text, surface, visible } = map.look;
    const t = map.progress();
    const taken = [];
    context.font = LABEL_FONT;
    Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 3.5 });
    Object.assign(context, { strokeStyle: surface, fillStyle: text });
    const bySize = [...map.centers].filter(([label]) => visible(label)).sort((a, b) => b[1].size - a[1].size);
    for (const [label, { at, spread }] of bySize) {
      const old = map.oldCenters?.get(label)?.at ?? at;
      const place = [old[0] + (at[0] - old[0]) * t, old[1] + (at[1] - old[1]) * t];
      const [x, middle] = map.screen(...place);
      // Over a small cluster, for it would hide it; in the midst of a wide one.
      const above = middle - map.screen(place[0], place[1] + spread)[1];
      if (x < 0 || x > width || middle < 0 || middle > height) continue;
      const name = shortened(data.manifest.classes[label] ?? String(label));
      const half = context.measureText(name).width / 2 + 3;
      const u = Math.min(Math.max(x, half), width - half);
      const v = Math.min(Math.max(above < SMALL_CLUSTER ? middle - 2 * above - 9 : middle, 9), height - 9);
      const free = taken.every(([a, b, h]) => Math.abs(u - a) > half + h || Math.abs(v - b) > 15);
      if (!free) continue; // a larger class has this place
      taken.push([u, v, half]);
      context.strokeText(name, u, v);
      context.fillText(name, u, v);
    }
  }

  function drawRing(map, context, row, radius, width) {
    const [x, y] = map.screen(map.place.x[row], map.place.y[row]);
    Object.assign(context, { strokeStyle: map.look.surface, lineWidth: width + 3 });
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
    Object.assign(context, { strokeStyle: map.look.text, lineWidth: width });
    context.stroke();
  }

  /** Lines from the chosen point to those that are nearest to it in the layer, and a small ring around each. */
  function drawNear(map, context, rows) {
    if (state.point === null || map.glide) return;
    const from = map.screen(map.place.x[state.point], map.place.y[state.point]);
    const places = rows.map((row) => map.screen(map.place.x[row], map.place.y[row]));
    const ends = places.filter(([x, y]) => Math.hypot(x - from[0], y - from[1]) > RING + 2); // others lie in its ring
    for (const [color, width] of [[map.look.surface, 3], [map.look.text, 1]]) {
      Object.assign(context, { strokeStyle: color, lineWidth: width, globalAlpha: width > 2 ? 0.6 : 0.75 });
      context.beginPath();
      for (const end of ends) {
        context.moveTo(...from);
        context.lineTo(...end);
      }
      context.stroke();
      context.globalAlpha = 1;
      for (const [x, y] of ends) {
        context.beginPath();
        context.arc(x, y, 4, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }

  /** Where points were at an earlier epoch: small grey squares, far cheaper than discs. */
  function drawGhost(map, context, { x, y }) {
    const { clientWidth: width, clientHeight: height } = map.stage;
    Object.assign(context, { fillStyle: map.look.text, globalAlpha: 0.28 });
    for (let i = 0; i < x.length; i++) {
      const [u, v] = map.screen(x[i], y[i]);
      if (u >= 0 && u <= width && v >= 0 && v <= height) context.fillRect(u - 1, v - 1, 2, 2);
    }
    context.globalAlpha = 1;
  }

  /** The way of each selected point through the epochs; its last step is drawn as far as the point has come. */
  function drawTrails(map, context, trails) {
    const t = map.progress();
    Object.assign(context, { lineWidth: 1.2, lineJoin: "round", globalAlpha: 0.6 });
    for (const { color, x, y } of trails) {
      const last = x.length - 1;
      context.strokeStyle = color;
      context.beginPath();
      for (let i = 0; i <= last; i++) {
        const share = i === last && last > 0 ? t : 1;
        const at = [x[Math.max(0, i - 1)], y[Math.max(0, i - 1)]];
        context.lineTo(...map.screen(at[0] + (x[i] - at[0]) * share, at[1] + (y[i] - at[1]) * share));
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  repviz.offer({ drawOver, paintUnder, paintOver });
})();
