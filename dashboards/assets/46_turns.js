// Maps of two runs beside each other: neither PCA nor UMAP knows which way is up. By quarter turns and reflections, which
// keep every map whole in its square, one is brought as close to the other as they go.
(() => {
  const TURNS = [[1, 0, 0, 1], [-1, 0, 0, 1], [1, 0, 0, -1], [-1, 0, 0, -1], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, -1, 0], [0, -1, -1, 0]].map(
    ([xx, xy, yx, yy]) => ({ xx, xy, yx, yy, exchanges: xx === 0 }),
  );

  /** The turn of a layer's map in `frame` after which its points lie closest to where they lie in `base`. */
  function bestTurn(base, frame, layer) {
    const sums = covariance(repviz.axesOf(base, layer), repviz.axesOf(frame, layer));
    const fits = ({ xx, xy, yx, yy }) => xx * sums[0][0] + xy * sums[0][1] + yx * sums[1][0] + yy * sums[1][1];
    return TURNS.reduce((best, turn) => (fits(turn) > fits(best) ? turn : best));
  }

  /** [[base x with x, base x with y], [base y with x, base y with y]] over the points that both have. */
  function covariance(base, other) {
    const rows = [];
    for (let row = 0; row < base[0].length; row++) {
      if ([base[0], base[1], other[0], other[1]].every((values) => values[row] !== repviz.MISSING)) rows.push(row);
    }
    const mean = (values) => rows.reduce((sum, row) => sum + values[row], 0) / rows.length;
    const means = other.map(mean);
    return base.map((a) => other.map((b, axis) => rows.reduce((sum, row) => sum + a[row] * (b[row] - means[axis]), 0)));
  }

  /** Places after a turn. */
  const turned = ({ x, y }, { xx, xy, yx, yy }) => ({
    x: x.map((value, row) => xx * value + xy * y[row]),
    y: x.map((value, row) => yx * value + yy * y[row]),
  });

  repviz.offer({ bestTurn, turned });
})();
