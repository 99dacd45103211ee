// One figure on a page: a card that is drawn again when the epoch, a choice or its artifact is another.
(() => {
  const { state, data, element } = repviz;
  const SHOW_WAITING_AFTER = 300; // ms

  /** A line at the epoch in every panel over epochs: moving an element costs nothing, a relayout of plotly 40 ms. */
  function placeEpochLines(plot) {
    const layout = plot._fullLayout;
    if (!layout?._plots) return;
    const epoch = repviz.currentEpoch();
    const lines = [...plot.querySelectorAll(".epoch-line")];
    const panels = Object.values(layout._plots).filter(({ xaxis }) => xaxis?.range && xaxis.type !== "category");
    panels.forEach(({ xaxis, yaxis }, number) => {
      const line = lines[number] ?? plot.appendChild(element("div", { class: "epoch-line" }));
      line.hidden = epoch === null || epoch < xaxis.range[0] || epoch > xaxis.range[1];
      line.style.left = `${xaxis._offset + xaxis.d2p(epoch ?? 0)}px`;
      line.style.top = `${yaxis._offset}px`;
      line.style.height = `${yaxis._length}px`;
    });
    for (const line of lines.slice(panels.length)) line.remove();
  }

  class View {
    /** `name` of the picture; `over`: over epochs instead of one epoch. */
    constructor(name, over) {
      Object.assign(this, { name, over, drawn: null, answer: null, busy: false, again: false });
      this.title = element("h3", {}, repviz.pictureTitle(name));
      this.note = element("span", { class: "view-note" });
      this.plot = element("div", { class: "view-plot", role: "figure" });
      this.message = element("div", { class: "view-message", hidden: true, role: "status" });
      this.stage = element("div", { class: "view-stage" }, this.plot, this.message);
      this.root = element("section", { class: "card view", "data-picture": name, "data-over": String(over) });
      this.actions = this.makeActions();
      const header = element("header", {}, element("div", { class: "view-heading" }, this.title, this.note), this.actions);
      this.root.append(header, this.stage);
      new ResizeObserver(() => this.resize()).observe(this.stage);
    }

    makeActions() {
      const film = () => repviz.openFilm(this.name);
      const more = this.over ? [] : [repviz.figureAction("", "filmstrip: this figure at several epochs", film, "film")];
      return repviz.figureActions(this.root, (format) => this.saveImage(format), () => this.saveNumbers(), more);
    }

    get picture() {
      return data.config.pictures[this.name];
    }

    /** Draw what is wanted now; while something is being drawn only the newest wish counts. */
    async draw() {
      if (this.busy) {
        this.again = true;
        return;
      }
      this.busy = true;
      try {
        do {
          this.again = false;
          await this.drawOnce();
        } while (this.again && this.root.offsetParent);
      } finally {
        this.busy = false;
      }
    }

    async drawOnce() {
      const wanted = repviz.request(this.name, this.over);
      const why = wanted === null ? repviz.whyEmpty(this.name) : null;
      if (why) return this.say(...why);
      if (wanted.key === this.drawn) return this.decorate();
      const waiting = setTimeout(() => this.root.classList.add("waiting"), SHOW_WAITING_AFTER);
      try {
        const answer = await repviz.figure(wanted);
        await repviz.plotly(answer.figure.data);
        const newest = repviz.request(this.name, this.over);
        // Something newer is wanted by now, and it will be drawn; while playing every epoch that is ready is shown.
        if (newest?.key !== wanted.key && !repviz.playing()) return void (this.again = true);
        if (!this.root.offsetParent) return;
        await this.show(answer, wanted);
        if (!this.over) repviz.prefetchFigures(this.name, wanted.epoch);
      } catch (error) {
        this.sayError(error, wanted);
      } finally {
        clearTimeout(waiting);
        this.root.classList.remove("waiting");
      }
    }

    async show(answer, wanted) {
      const isFirst = this.answer === null;
      this.answer = answer;
      this.epoch = wanted.epoch;
      this.message.hidden = true;
      this.plot.hidden = false;
      this.actions.hidden = false;
      this.title.textContent = answer.title || repviz.pictureTitle(this.name);
      this.plot.setAttribute("aria-label", answer.title);
      if (isFirst) repviz.fitViews();
      await repviz.plotSized(this.plot, answer.figure);
      this.listen();
      this.drawn = wanted.key;
      this.root.dataset.epoch = wanted.epoch ?? "";
      this.decorate();
      repviz.choicesKnown(this.name, answer, this.over);
    }

    listen() {
      if (this.plot.dataset.listens || !this.over) return;
      this.plot.dataset.listens = "1";
      this.plot.on("plotly_afterplot", () => this.placeLines());
      this.plot.on("plotly_click", ({ points }) => typeof points[0].x === "number" && repviz.goTo(points[0].x));
    }

    /** What is said beside the title, and the line of the epoch. */
    decorate() {
      const parts = [this.answer?.subtitle, this.over ? null : this.earlier()];
      const left = (this.answer?.damaged ?? []).map((text) => text.split(":")[0]);
      if (left.length) parts.push(`${left.join(", ")} cannot be read and ${left.length > 1 ? "are" : "is"} left out`);
      this.note.textContent = parts.filter(Boolean).join(" · ");
      this.note.title = [this.note.textContent, ...(this.answer?.damaged ?? [])].join("\n");
      if (this.over) this.placeLines();
    }

    /** That an earlier epoch is drawn than the one that is looked at, and what failed since it; null where nothing. */
    earlier() {
      const at = repviz.currentEpoch();
      if (this.epoch === null || at === null) return null;
      const kind = repviz.kindOf(this.name);
      const next = repviz.epochsOf(kind).find((epoch) => epoch > this.epoch) ?? Infinity;
      const failed = data.manifest?.errors.kinds[kind] ?? { epochs: [] };
      const since = failed.epochs.filter((epoch) => epoch > this.epoch && epoch < next);
      if (since.length) {
        const reason = since.includes(failed.last.epoch) ? `: ${failed.last.error}: ${failed.last.message}` : "";
        return `epoch ${this.epoch} is drawn, ${kind} failed at epoch ${since.join(", ")}${reason}`;
      }
      return this.epoch === at ? null : `epoch ${this.epoch} is drawn: there is no ${kind} at epoch ${at}`;
    }

    placeLines() {
      repviz.placeEpochLines(this.plot);
    }

    resize() {
      repviz.refit(this.plot);
    }

    // --- messages ---

    say(heading, ...content) {
      this.forget();
      this.title.textContent = repviz.pictureTitle(this.name);
      this.note.textContent = "";
      this.message.replaceChildren(element("h2", {}, heading), ...content);
      this.message.hidden = false;
      this.plot.hidden = true;
      this.actions.hidden = true;
    }

    sayError(error, wanted) {
      const at = wanted.epoch === null ? "" : ` at epoch ${wanted.epoch}`;
      const headings = { damaged: `A damaged artifact${at}`, figure: `This figure cannot be drawn${at}`, missing: "It is gone" };
      this.say(headings[error.kind] ?? "The server gave no figure", element("p", {}, error.message));
      this.root.dataset.epoch = wanted.epoch ?? "";
    }

    /** Give the picture's memory back, above all WebGL contexts, of which a browser has few. */
    forget() {
      repviz.unplot(this.plot);
      Object.assign(this, { drawn: null, answer: null });
      delete this.root.dataset.epoch;
    }

    /** Whether hiding it must give its WebGL contexts back. */
    get isGl() {
      return Boolean(this.answer?.figure.data.some(({ type }) => /gl$|^surface$|^splom$|3d$|^mesh/.test(type ?? "")));
    }

    // --- saving ---

    get fileName() {
      const at = this.over ? "over_epochs" : `epoch_${this.epoch}`;
      return `${data.manifest.run}_${this.name}_${at}`;
    }

    async saveImage(format) {
      if (!this.answer) return;
      const { figure, width, height } = repviz.alone(this.answer);
      await repviz.saveFigure(figure, { width, height }, this.fileName, format);
    }

    saveNumbers() {
      const what = this.over ? `${this.name}/over-epochs` : `${repviz.kindOf(this.name)}/${this.epoch}`;
      repviz.save(repviz.address(data.manifest.run, `numbers/${what}`), "");
    }
  }

  repviz.offer({ View, placeEpochLines });
})();
