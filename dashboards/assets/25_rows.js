// Sets of rows as short texts, for the URL and for the server (see asked_rows.py). Written whichever way is shorter: as runs ("r3-4.c" in base 36: skip 3, take
// 4 and one more; skip 12, take one) or as bits ("b" and base64url, the lowest bit of each byte first).
(() => {
  const LONGEST = 30000; // characters: what browsers, servers and people still pass on as a link
  const whole = new WeakMap(); // rows -> text that is too long for a URL
  const packed = new WeakMap(); // rows -> text: a step through the epochs writes the URL anew

  /** Ascending rows as text; null where that would be too long for a URL. */
  function packRows(rows) {
    if (!packed.has(rows)) {
      const runs = asRuns(rows);
      const bits = rows.length ? Math.ceil((rows.at(-1) + 1) / 6) : 0;
      const text = runs !== null && runs.length <= bits + 2 ? runs : bits < LONGEST ? asBits(rows) : null;
      packed.set(rows, text);
    }
    return packed.get(rows);
  }

  /** Ascending rows as text, however long. */
  const packAll = (rows) => packRows(rows) ?? bitsOf(rows);

  function bitsOf(rows) {
    if (!whole.has(rows)) whole.set(rows, asBits(rows));
    return whole.get(rows);
  }

  function asRuns(rows) {
    let text = "";
    let next = 0; // the first row that has not been spoken of
    for (let i = 0; i < rows.length; ) {
      let end = i + 1;
      while (end < rows.length && rows[end] === rows[end - 1] + 1) end++;
      const more = end - i - 1;
      text += `${text ? "." : ""}${(rows[i] - next).toString(36)}${more ? `-${more.toString(36)}` : ""}`;
      if (text.length > LONGEST) return null;
      next = rows[i] + more + 1;
      i = end;
    }
    return `r${text}`;
  }

  function asBits(rows) {
    const bytes = new Uint8Array(rows.length ? (rows.at(-1) >> 3) + 1 : 0);
    for (const row of rows) bytes[row >> 3] |= 1 << (row & 7);
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return `b${btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
  }

  /** The rows that a text stands for, ascending; null where it stands for none. */
  function unpackRows(text) {
    const rows = /^r[0-9a-z]+(-[0-9a-z]+)?(\.[0-9a-z]+(-[0-9a-z]+)?)*$/.test(text) ? fromRuns(text.slice(1)) : /^b[\w-]+$/.test(text) ? fromBits(text.slice(1)) : [];
    if (!rows.length) return null;
    packed.set(rows, text);
    return rows;
  }

  function fromRuns(text) {
    const MOST = 1e7; // a link that claims more is none of ours
    const rows = [];
    let next = 0;
    for (const run of text.split(".")) {
      const [skip, more] = run.split("-").map((number) => parseInt(number, 36));
      const last = next + skip + (more || 0);
      if (last > MOST) return [];
      for (let row = next + skip; row <= last; row++) rows.push(row);
      next = last + 1;
    }
    return rows;
  }

  function fromBits(text) {
    let bytes;
    try {
      bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    } catch {
      return []; // not base64: someone has shortened the link
    }
    const rows = [];
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) if (bytes.charCodeAt(at) & (1 << bit)) rows.push(8 * at + bit);
    }
    return rows;
  }

  repviz.offer({ packRows, packAll, unpackRows });
})();
