// Figures are drawn when they come into sight: a page of twenty would otherwise take seconds to open.
(() => {
  const waiting = new Set(document.querySelectorAll(".figure"));
  const draw = (card) => {
    if (!waiting.delete(card)) return;
    const { data, layout } = JSON.parse(card.querySelector("script").textContent);
    const place = card.firstElementChild;
    place.style.height = `${layout.height}px`;
    // What one has exported stays with one: Plotly's button would upload the chart to its cloud.
    const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["sendChartToCloud"] };
    Plotly.newPlot(place, data, layout, config).then(() => (card.dataset.drawn = "true"));
  };
  const watch = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && draw(entry.target)),
    { rootMargin: "600px" },
  );
  waiting.forEach((card) => watch.observe(card));
  addEventListener("beforeprint", () => [...waiting].forEach(draw));
})();
