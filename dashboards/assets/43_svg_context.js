// A canvas context that writes SVG: as much of one as the maps draw with, so that one way of drawing serves both.
(() => {
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const ANCHORS = { center: "middle", left: "start", start: "start", right: "end", end: "end" };
  const round = (value) => String(Math.round(100 * value) / 100);
  const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

  class SvgContext {
    constructor(width, height) {
      Object.assign(this, { width, height, fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1 });
      Object.assign(this, { font: "12px sans-serif", textAlign: "start", textBaseline: "alphabetic", lineJoin: "miter" });
      this.parts = [];
      this.path = [];
      this.measure = document.createElement("canvas").getContext("2d");
    }

    measureText(text) {
      this.measure.font = this.font;
      return this.measure.measureText(text);
    }

    beginPath() {
      this.path = [];
    }

    moveTo(x, y) {
      this.path.push(`M${round(x)} ${round(y)}`);
    }

    lineTo(x, y) {
      this.path.push(`${this.path.length ? "L" : "M"}${round(x)} ${round(y)}`);
    }

    /** Whole circles alone. */
    arc(x, y, radius) {
      const [r, d] = [round(radius), round(2 * radius)];
      if (this.path.at(-1)?.startsWith("M") && !this.path.at(-1).includes("a")) this.path.pop(); // went to where it begins
      this.path.push(`M${round(x - radius)} ${round(y)}a${r} ${r} 0 1 0 ${d} 0a${r} ${r} 0 1 0 -${d} 0`);
    }

    rect(x, y, width, height) {
      this.path.push(`M${round(x)} ${round(y)}h${round(width)}v${round(height)}h${round(-width)}z`);
    }

    fillRect(x, y, width, height) {
      this.beginPath();
      this.rect(x, y, width, height);
      this.fill();
    }

    fill() {
      this.parts.push(`<path d="${this.path.join("")}" fill="${escaped(this.fillStyle)}"${this.opacity()}/>`);
    }

    stroke() {
      this.parts.push(`<path d="${this.path.join("")}" fill="none"${this.line()}${this.opacity()}/>`);
    }

    fillText(text, x, y) {
      this.text(text, x, y, ` fill="${escaped(this.fillStyle)}"`);
    }

    strokeText(text, x, y) {
      this.text(text, x, y, ` fill="none"${this.line()}`);
    }

    text(text, x, y, paint) {
      const [, weight = "400", size, family] = /^(?:(\S+) )?([\d.]+)px (.*)$/.exec(this.font);
      const down = this.textBaseline === "middle" ? 0.35 * size : 0;
      const type = ` font-family="${escaped(family)}" font-size="${size}" font-weight="${escaped(weight)}"`;
      const anchor = ` text-anchor="${ANCHORS[this.textAlign]}"`;
      this.parts.push(`<text x="${round(x)}" y="${round(y + down)}"${type}${anchor}${paint}${this.opacity()}>${escaped(text)}</text>`);
    }

    line() {
      return ` stroke="${escaped(this.strokeStyle)}" stroke-width="${round(this.lineWidth)}" stroke-linejoin="${this.lineJoin}"`;
    }

    opacity() {
      return this.globalAlpha < 1 ? ` opacity="${round(this.globalAlpha)}"` : "";
    }

    /** What `draw` draws is moved by (x, y), and cut off outside of `width` x `height`. */
    within(x, y, width, height, draw) {
      const name = `part${this.parts.length}`;
      this.parts.push(`<clipPath id="${name}"><rect width="${round(width)}" height="${round(height)}"/></clipPath>`);
      this.parts.push(`<g transform="translate(${round(x)} ${round(y)})" clip-path="url(#${name})">`);
      draw();
      this.parts.push("</g>");
    }

    toString() {
      const box = `width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"`;
      return `<svg xmlns="${NAMESPACE}" ${box}>${this.parts.join("")}</svg>`;
    }
  }

  repviz.offer({ SvgContext });
})();
