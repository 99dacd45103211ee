// Answers of the server that are asked for once, and kept as long as there is room.
(() => {
  class Kept {
    constructor(maxBytes) {
      this.maxBytes = maxBytes;
      this.entries = new Map(); // key -> { promise, bytes }, the least recently used first
    }

    /**
     * What `decode(response)` made of the answer: it gives a promise of { value, bytes }. The key names what lies at
     * the address, its version included. `options`: of `fetch`.
     */
    get(key, url, decode, options) {
      const entry = this.entries.get(key) ?? this.ask(key, url, decode, options);
      this.entries.delete(key);
      this.entries.set(key, entry);
      return entry.promise;
    }

    ask(key, url, decode, options) {
      const entry = { promise: this.load(url, decode, options), bytes: 0 };
      entry.promise = entry.promise.then(({ value, bytes }) => {
        entry.bytes = bytes;
        this.makeRoom(key);
        return value;
      });
      entry.promise.catch(() => {
        if (this.entries.get(key) === entry) this.entries.delete(key); // asked again next time: it may have been mended
      });
      return entry;
    }

    async load(url, decode, options) {
      const response = await repviz.answerOf(url, options);
      if (!response.ok) throw await repviz.problem(response);
      return decode(response);
    }

    makeRoom(except) {
      let total = 0;
      for (const { bytes } of this.entries.values()) total += bytes;
      for (const [key, { bytes }] of this.entries) {
        if (total <= this.maxBytes) return;
        if (key === except) continue;
        this.entries.delete(key);
        total -= bytes;
      }
    }
  }

  /** Decodes JSON. */
  async function json(response) {
    const text = await response.text();
    return { value: JSON.parse(text), bytes: 2 * text.length };
  }

  /** Decodes a block (see frames.py) with what `make(header, buffer, offset)` makes of it. */
  const block = (make) => async (response) => {
    const buffer = await response.arrayBuffer();
    const { header, offset } = unpack(buffer);
    return { value: make(header, buffer, offset), bytes: buffer.byteLength };
  };

  /** Header of a block, and where its content begins. */
  function unpack(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    return { header, offset: 4 + length };
  }

  repviz.offer({ Kept, json, block, unpack });
})();
