// The shape of a point, by its split, as a path: what the maps' shader draws (frontend/build.mjs), for other canvases.
(() => {
  const THICK = 0.34; // half the width of an arm of the cross
  const NOTCH = THICK * Math.SQRT2;
  const QUARTER = [[NOTCH, 0], [1, 1 - NOTCH], [1, 1], [1 - NOTCH, 1]];
  const turned = ([x, y]) => [-y, x];
  const CORNERS = {
    1: [[1, 0], [0, 1], [-1, 0], [0, -1]], // val: a diamond
    2: [QUARTER, QUARTER.map(turned), QUARTER.map(turned).map(turned), QUARTER.map(turned).map(turned).map(turned)].flat(), // excluded: a cross
  };

  /** Add a point of this split and radius to the path; train: a disc. */
  function pointPath(context, split, x, y, radius) {
    const corners = CORNERS[split];
    if (!corners) {
      context.moveTo(x + radius, y);
      return context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    corners.forEach(([u, v], at) => (at ? context.lineTo(x + radius * u, y + radius * v) : context.moveTo(x + radius * u, y + radius * v)));
  }

  repviz.offer({ pointPath });
})();
