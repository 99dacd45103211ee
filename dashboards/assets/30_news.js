// Asking the server for news: which runs there are, and the manifest of the run that is looked at.
(() => {
  const { state, data, on, emit, set } = repviz;
  const RUNS_EVERY = 3; // ticks
  const SUBSAMPLE = 20000; // medians of more points than this are taken of every k-th one
  const early = new Map(); // answers that were asked for before Dash had built the page, by address
  const tags = {}; // what the server called the answer we have, per URL
  let ticks = 0;
  let busy = false;
  let again = false; // another run was chosen while an answer was awaited
  let failures = 0;

  /** Ask what every page asks first: the answers come while Dash builds it. */
  async function askEarly() {
    const asked = (url) => early.set(url, fetch(url)).get(url);
    try {
      const runs = asked("data/runs");
      const query = new URLSearchParams(location.search);
      const run = query.get("run") ?? (await (await runs).clone().json()).runs[0]?.name;
      if (!run || !(await asked(address(run, "manifest"))).ok) return;
      // Not before the manifest, which says of which version they are at least.
      const drawn = query.has("page") ? [] : [repviz.curvesOf(repviz.themeOfPage(), query.get("log") === "1")];
      for (const what of ["metrics", "sample", ...drawn]) asked(address(run, what)).catch(() => {});
    } catch {
      // Whoever asks again says what is wrong.
    }
  }

  /** `fetch`; once the answer to the same question that was asked early. */
  function answerOf(url, options) {
    const asked = early.get(url);
    early.delete(url);
    return asked ?? fetch(url, options);
  }

  /**
   * The answer as JSON; null where nothing has changed since the answer whose name is in `tags`, by address. Throws an
   * Error with the server's reason.
   */
  async function ask(url, tags) {
    const response = await answerOf(url, tags[url] ? { headers: { "If-None-Match": tags[url] } } : {});
    if (response.status === 304 || response.status === 204) return null;
    if (!response.ok) throw await problem(response);
    const answer = await response.json();
    tags[url] = response.headers.get("ETag");
    return answer;
  }

  /** What the server says is wrong, as an Error. */
  async function problem(response) {
    const answer = await response.json().catch(() => ({}));
    const error = new Error(answer.message ?? `the server answered ${response.status}`);
    error.kind = answer.problem ?? "server";
    return error;
  }

  const address = (run, what) => `data/runs/${encodeURIComponent(run)}/${what}`;

  async function tick() {
    if (busy || !data.config) return;
    busy = true;
    emit("clock");
    try {
      if (ticks++ % RUNS_EVERY === 0 || !state.run) await askRuns();
      if (state.run) await askManifest(state.run);
      if (failures) emit("server", { reachable: true });
      failures = 0;
    } catch (error) {
      // One lost answer is nothing to speak of; two are.
      if (++failures >= 2) emit("server", { reachable: false, message: String(error.message ?? error) });
    } finally {
      busy = false;
    }
    if (again) {
      again = false;
      await tick();
    }
  }

  async function askRuns() {
    const answer = await ask("data/runs", tags);
    if (answer) {
      data.runs = answer;
      emit("runs");
    }
    if (!state.run && data.runs?.runs.length) set({ run: data.runs.runs[0].name });
  }

  async function askManifest(run) {
    const known = data.manifest?.run === run ? data.manifest : null;
    try {
      const answer = await ask(address(run, "manifest") + (known ? `?since=${known.signature}` : ""), {});
      if (answer && run === state.run) await take(...whole(answer, known));
    } catch (error) {
      if (error.kind !== "missing") throw error;
      if (run === state.run) forget(error.message);
    }
  }

  /** The manifest that an answer makes of the one that is known (see news.py), and how many rows of the table stay. */
  function whole(answer, known) {
    if (!answer.since) return [answer, 0];
    const joined = (before, after, names) => {
      const lists = names.map((name) => [name, [...(before?.[name] ?? []).slice(0, after.kept), ...after[name]]]);
      return Object.fromEntries(lists);
    };
    const kinds = Object.entries(answer.artifacts);
    const artifacts = kinds.map(([kind, news]) => [kind, news === null ? known.artifacts[kind] : joined(known.artifacts[kind], news, ["epochs", "versions"])]);
    const metrics = { ...answer.metrics, ...joined(known.metrics, answer.metrics, ["epochs"]) };
    // Rows that an earlier answer should have brought and did not are asked for with the new ones.
    return [{ ...known, ...answer, artifacts: Object.fromEntries(artifacts), metrics }, Math.min(answer.metrics.kept, data.rows.length)];
  }

  async function take(manifest, rowsKept) {
    const before = data.manifest;
    const isNew = before?.run !== manifest.run;
    data.manifest = manifest;
    if (isNew) Object.assign(data, { rows: [], sample: null, sampleProblem: null });
    const [newRows, newSample] = await Promise.all([
      isNew || before.metrics.version !== manifest.metrics.version ? askRows(manifest.run, rowsKept) : false,
      isNew || before.sample !== manifest.sample ? askSample(manifest.run, manifest.sample) : false,
    ]);
    if (data.manifest !== manifest) return;
    if (newSample) emit("sample");
    if (newRows) emit("metrics");
    emit("manifest", { isNew });
    early.clear(); // what nobody wanted by now is old when somebody does
  }

  async function askRows(run, kept) {
    const response = await answerOf(address(run, "metrics") + (kept ? `?from=${kept}` : ""));
    if (!response.ok) return true; // the manifest says what is wrong with the table
    const rows = await response.json();
    if (run === state.run) data.rows = [...data.rows.slice(0, kept), ...rows];
    return true;
  }

  async function askSample(run, version) {
    data.sampleProblem = null;
    if (version === null) return true;
    const response = await answerOf(address(run, "sample"));
    if (!response.ok) {
      data.sampleProblem = (await problem(response)).message;
      return true;
    }
    const buffer = await response.arrayBuffer();
    const { header, offset } = repviz.unpack(buffer);
    const labels = new Int16Array(buffer, offset, header.n);
    const splits = new Int8Array(buffer, offset + 2 * header.n, header.n);
    if (run === state.run) data.sample = { n: header.n, columns: header.columns, hasText: header.has_text, labels, splits, version, ...prepared(labels), splitCounts: countsOf(splits) };
    return true;
  }

  /** What every drawing needs: the colour number of each point, and some rows of each class for its median. */
  function prepared(labels) {
    const none = data.manifest.colors.length;
    const colors = Float32Array.from(labels, (label) => (label < 0 || label >= none ? none : label));
    const members = new Map();
    const stride = Math.ceil(labels.length / SUBSAMPLE);
    for (let row = 0; row < labels.length; row += stride) {
      if (labels[row] < 0) continue;
      if (!members.has(labels[row])) members.set(labels[row], []);
      members.get(labels[row]).push(row);
    }
    return { colors, members, classCounts: countsOf(labels) };
  }

  /** How many points, or how many of some rows, have each value, ascending; -1 stands for all below 0 and is last. */
  function countsOf(values, rows = null) {
    const found = new Uint32Array(1 + values.reduce((most, value) => Math.max(most, value), 0));
    const n = rows?.length ?? values.length;
    let none = 0;
    for (let i = 0; i < n; i++) {
      const value = values[rows === null ? i : rows[i]];
      if (value < 0) none++;
      else found[value]++;
    }
    const counts = new Map();
    found.forEach((count, value) => count && counts.set(value, count));
    return none ? counts.set(-1, none) : counts;
  }

  function forget(message) {
    Object.assign(data, { manifest: null, rows: [], sample: null });
    emit("manifest", { isNew: true, message });
  }

  on("state", (changed) => {
    if (!changed.has("run")) return;
    Object.assign(data, { manifest: null, rows: [], sample: null });
    emit("manifest", { isNew: true });
    if (busy) again = true;
    else tick();
  });

  repviz.offer({ tick, ask, answerOf, address, problem, countsOf });
  askEarly();
})();
