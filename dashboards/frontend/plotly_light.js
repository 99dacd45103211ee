// The part of plotly.js that the figures of nearly all pages need; becomes `plotlyLight`, and `Plotly` for Dash. The
// whole of it, four times as large, is fetched when a figure has a trace of another type (assets/36_figures.js).
import Plotly from "plotly.js/lib/core.js";
import bar from "plotly.js/lib/bar.js";
import box from "plotly.js/lib/box.js";
import contour from "plotly.js/lib/contour.js";
import heatmap from "plotly.js/lib/heatmap.js";

const more = [bar, box, contour, heatmap];
Plotly.register(more);
window.Plotly = Plotly;
window.plotlyLight = { Plotly, types: ["scatter", ...more.map(({ name }) => name)] };
