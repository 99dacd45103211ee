// How the mouse selects on a map: a lasso or a box around points, a click on one.
(() => {
  const CLICK_PIXELS = 4; // a mouse that has moved farther has dragged
  let keys = { ctrlKey: false, metaKey: false, altKey: false };

  // Before anyone else hears of it: what a selection does to the one before is asked when the mouse is let go.
  window.addEventListener("mouseup", (event) => (keys = event), { capture: true });

  const how = () => (keys.altKey ? "remove" : keys.ctrlKey || keys.metaKey ? "add" : "replace");

  /** Tell `map.events` what was selected on it. The plot's own selection is only a picture of `state.selection`. */
  function catchSelections(map) {
    let caught = null; // by the lasso that is being drawn
    let drawing = false;
    map.plot.subscribe("lassoStart", () => {
      drawing = true;
      caught = null;
    });
    map.plot.subscribe("select", ({ points }) => (drawing ? (caught = [...points]) : map.look && map.stress()));
    map.plot.subscribe("deselect", () => drawing && (caught = []));
    map.plot.subscribe("lassoEnd", ({ coordinates }) => {
      // Where the lasso holds what is selected already, the plot has nothing to tell. A line is no lasso.
      const points = caught ?? [...map.plot.get("selectedPoints")];
      const rows = Array.from(Int32Array.from(points).sort());
      const drawn = drawing && coordinates.length > 2;
      drawing = false;
      map.stressed = rows; // so the plot shows it: of a million points it is not told twice
      if (drawn) map.events.lassoed(rows, how());
      map.filter();
    });
    catchClicks(map);
  }

  function catchClicks(map) {
    let from = [0, 0];
    let far = 0; // a lasso ends where it began, and is no click
    map.points.addEventListener("mousedown", ({ clientX, clientY }) => {
      from = [clientX, clientY];
      far = 0;
    });
    map.points.addEventListener("mousemove", ({ buttons, clientX, clientY }) => {
      if (buttons) far = Math.max(far, Math.hypot(clientX - from[0], clientY - from[1]));
    });
    map.points.addEventListener("click", () => far < CLICK_PIXELS && map.events.clicked(map.hovered));
  }

  repviz.offer({ catchSelections });
})();
