// A table of any number of rows of which only those in sight exist: the arrow keys move through it, a screen reader is
// told how long it is and where one is.
(() => {
  const { element } = repviz;
  const ROW = 32; // pixels, as the stylesheet has it
  const HIGHEST = 8e6; // pixels of a scrolling area: browsers end at some 16 million
  const SPARE = 4; // rows beyond what is in sight

  class RowList {
    /**
     * `columns`: [{ key, title, width, numeric, sortable }]; `fill(rows)`: a promise of the texts of rows, each an
     * object by column; `events`: sort(key), choose(row).
     */
    constructor(mount, label, events) {
      Object.assign(this, { events, rows: [], columns: [], active: 0, chosen: null, turn: 0 });
      this.head = element("div", { class: "list-head", role: "row" });
      this.body = element("div", { class: "list-body", role: "rowgroup" });
      const head = element("div", { class: "list-heads", role: "rowgroup" }, this.head);
      this.root = element("div", { class: "list", role: "grid", tabindex: 0, "aria-label": label }, head, this.body);
      this.root.addEventListener("scroll", () => this.draw());
      this.root.addEventListener("keydown", (event) => this.onKey(event));
      new ResizeObserver(() => this.draw()).observe(this.root);
      mount.replaceChildren(this.root);
    }

    /** Show these rows; the place stays where it was when only their order or their content has changed. */
    show(columns, rows, sort, fill) {
      const another = rows.length !== this.rows.length;
      Object.assign(this, { columns, rows, fill, sort });
      this.root.setAttribute("aria-rowcount", rows.length + 1);
      this.root.style.setProperty("--columns", columns.map(({ width }) => width).join(" "));
      this.height = Math.min(HIGHEST, rows.length * ROW);
      this.body.style.height = `${this.height}px`;
      if (another) this.active = Math.min(this.active, Math.max(0, rows.length - 1));
      this.drawHead();
      this.draw();
    }

    drawHead() {
      this.head.replaceChildren(
        ...this.columns.map(({ key, title, numeric, sortable, hint }) => {
          const down = this.sort.key === key ? this.sort.down : null;
          const sorted = down === null ? "none" : down ? "descending" : "ascending";
          const text = `${title}${down === null ? "" : down ? " ↓" : " ↑"}`;
          const sort = () => this.events.sort(key);
          const content = sortable ? element("button", { type: "button", class: "list-sort", onclick: sort }, text) : text;
          const attributes = { class: numeric ? "number" : "", role: "columnheader", title: hint ?? title };
          return element("span", sortable ? { ...attributes, "aria-sort": sorted } : attributes, content);
        }),
      );
    }

    /** How many rows fit below the head, which stays, and which is the first in sight. */
    window() {
      const room = this.root.clientHeight - ROW;
      const fits = Math.max(1, Math.floor(room / ROW));
      const way = Math.max(1, this.height - room);
      const share = Math.min(1, this.root.scrollTop / way);
      // So long a list that its rows are closer than pixels is scrolled by its share.
      const first = this.rows.length * ROW > HIGHEST ? Math.round(share * (this.rows.length - fits)) : Math.floor(this.root.scrollTop / ROW);
      return { fits, first: Math.max(0, Math.min(first, this.rows.length - 1)) };
    }

    async draw() {
      const { fits, first } = this.window();
      const from = Math.max(0, first - SPARE);
      const rows = this.rows.slice(from, first + fits + SPARE);
      const turn = ++this.turn;
      const texts = rows.length ? await this.fill(rows) : [];
      if (turn !== this.turn) return;
      const squeezed = this.rows.length * ROW > HIGHEST;
      const top = (at) => (squeezed ? this.root.scrollTop + (at - first) * ROW : at * ROW);
      this.body.replaceChildren(...rows.map((row, i) => this.line(row, from + i, top(from + i), texts[i])));
      // An active row out of sight does not exist.
      if (this.active >= from && this.active < from + rows.length) this.root.setAttribute("aria-activedescendant", `list-row-${this.active}`);
      else this.root.removeAttribute("aria-activedescendant");
    }

    line(row, at, top, texts) {
      const cells = this.columns.map(({ key, numeric }) => {
        const value = texts[key];
        const cell = element("span", { role: "gridcell", class: numeric ? "number" : "" }, value?.sign ?? null, value?.text ?? value ?? "–");
        cell.title = value?.text ?? value ?? "";
        return cell;
      });
      const made = element("div", { class: "list-row", role: "row", id: `list-row-${at}`, "aria-rowindex": at + 2 }, ...cells);
      made.style.top = `${top}px`;
      made.dataset.row = row;
      made.classList.toggle("active", at === this.active);
      made.setAttribute("aria-selected", String(row === this.chosen));
      made.addEventListener("click", () => {
        this.active = at;
        this.events.choose(row);
      });
      return made;
    }

    onKey(event) {
      if (event.target !== this.root || event.ctrlKey || event.metaKey || event.altKey) return;
      const { fits } = this.window();
      const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: fits, PageUp: -fits, Home: -Infinity, End: Infinity };
      if (event.key in steps) this.go(this.active + steps[event.key]);
      else if (["Enter", " "].includes(event.key) && this.rows.length) this.events.choose(this.rows[this.active]);
      else return;
      event.preventDefault();
      event.stopPropagation(); // the arrows would move through the epochs as well
    }

    /** Make a place of the list the active one, and bring it into sight. */
    go(to) {
      this.active = Math.max(0, Math.min(to, this.rows.length - 1));
      const { fits, first } = this.window();
      if (this.active < first) this.scrollTo(this.active);
      else if (this.active >= first + fits) this.scrollTo(this.active - fits + 1);
      this.draw();
    }

    scrollTo(first) {
      const room = this.root.clientHeight - ROW;
      const squeezed = this.rows.length * ROW > HIGHEST;
      const { fits } = this.window();
      this.root.scrollTop = squeezed ? (first / Math.max(1, this.rows.length - fits)) * (this.height - room) : first * ROW;
    }

    /** Mark a row of the sample as the chosen one; `reveal`: and bring it into sight. */
    choose(row, reveal) {
      this.chosen = row;
      const at = this.rows.indexOf(row);
      if (reveal && at >= 0) this.go(at);
      else this.draw();
    }
  }

  repviz.offer({ RowList });
})();
