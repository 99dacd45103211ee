// Numbers of the sample's points by kind and epoch, its columns, and ids and texts of rows; fetched once, kept while
// there is room. The layout of a block is told in values.py.
(() => {
  const { state, data } = repviz;
  const MAX_BYTES = 128e6;
  const ROWS_AT_ONCE = 500; // as value_routes.py has it
  const blocks = new repviz.Kept(MAX_BYTES);
  const names = new Map(); // "run/version" -> Map(row -> { row, id, text })

  /** { epoch, values: name -> { title, units, array } } of the artifact that is nearest to `epoch`; null where none. */
  function valuesAt(kind, epoch) {
    const artifacts = data.manifest.artifacts[kind];
    const there = repviz.nearest(artifacts?.epochs ?? [], epoch);
    if (there === null) return Promise.resolve(null);
    const version = artifacts.versions[artifacts.epochs.indexOf(there)];
    return block(`values/${kind}/${there}`, version);
  }

  /** The same of the tabular columns. */
  const columns = () => block("columns", data.sample.version);

  function block(what, version) {
    const url = repviz.address(data.manifest.run, what);
    return blocks.get(`${url}#${version}`, url, decode);
  }

  const decode = repviz.block((header, buffer, offset) => {
    const values = {};
    header.values.forEach(({ name, title, units }, at) => {
      const array = new Float32Array(buffer, offset + 4 * at * header.n, header.n);
      values[name] = { title, units, array };
    });
    return { epoch: header.epoch, n: header.n, values };
  });

  /** Ids and texts of rows, in their order. */
  async function namesOf(rows) {
    const key = `${state.run}/${data.sample.version}`;
    if (!names.has(key)) {
      names.clear();
      names.set(key, new Map());
    }
    const known = names.get(key);
    const missing = rows.filter((row) => !known.has(row));
    for (let at = 0; at < missing.length; at += ROWS_AT_ONCE) {
      const response = await fetch(repviz.address(state.run, `rows/${missing.slice(at, at + ROWS_AT_ONCE).join(",")}`));
      if (!response.ok) throw await repviz.problem(response);
      for (const entry of await response.json()) known.set(entry.row, entry);
    }
    return rows.map((row) => known.get(row));
  }

  /** The place of each row's id or text in the alphabet; a promise. */
  function ranks(name) {
    const url = repviz.address(data.manifest.run, `ranks/${name}`);
    return blocks.get(`${url}#${data.sample.version}`, url, async (response) => {
      const buffer = await response.arrayBuffer();
      return { value: new Int32Array(buffer), bytes: buffer.byteLength };
    });
  }

  /** Rows whose id or text holds `text`, ascending. */
  async function search(text) {
    const response = await fetch(repviz.address(state.run, `search?text=${encodeURIComponent(text)}`));
    if (!response.ok) throw await repviz.problem(response);
    return new Int32Array(await response.arrayBuffer());
  }

  repviz.offer({ valuesAt, columns, namesOf, ranks, search });
})();
