// A figure of the overview in its card: nothing until there is something to draw and room to draw it in, which a hidden
// page has not.
(() => {
  const { element } = repviz;
  const CONFIG = { displayModeBar: false, doubleClick: "reset" };

  class Chart {
    /** `id` of the element that it fills; `over`: over epochs, with a line at the epoch; a click goes to one. */
    constructor(id, over) {
      Object.assign(this, { over, figure: null, drawn: null, clicked: over ? ({ x }) => repviz.goTo(x) : null });
      this.root = document.getElementById(id);
      this.plot = element("div", { class: "chart-plot", role: "figure", "aria-label": this.root.dataset.label });
      this.message = element("p", { class: "muted chart-message", role: "alert", hidden: true });
      this.root.append(this.plot, this.message);
      new ResizeObserver(() => (this.figure === this.drawn ? repviz.refit(this.plot) : this.draw())).observe(this.root);
    }

    /** Draw a figure, at once or as soon as there is room; a promise. */
    show(figure) {
      this.figure = figure;
      this.message.hidden = true;
      return this.draw();
    }

    async draw() {
      const { figure } = this;
      if (!figure || !this.plot.clientWidth || !this.plot.clientHeight) return;
      this.drawn = figure;
      await repviz.plotSized(this.plot, figure, CONFIG);
      this.listen();
      this.placeLine();
      this.plot.dataset.repviz = "1";
    }

    /** Call `clicked(point, meta of the figure)` for a click on a point. */
    onClick(clicked) {
      this.clicked = clicked;
    }

    listen() {
      if (this.plot.dataset.listens) return;
      this.plot.dataset.listens = "1";
      this.plot.on("plotly_afterplot", () => this.placeLine());
      this.plot.on("plotly_click", ({ points }) => this.clicked?.(points[0], this.plot.layout.meta));
    }

    placeLine() {
      if (this.over) repviz.placeEpochLines(this.plot);
    }

    /** Why there is no figure. */
    say(text) {
      repviz.unplot(this.plot);
      Object.assign(this, { figure: null, drawn: null });
      delete this.plot.dataset.repviz;
      this.message.textContent = text;
      this.message.hidden = false;
    }
  }

  repviz.offer({ Chart });
})();
