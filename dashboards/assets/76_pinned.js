// The runs that are compared, and what the server tells of them while they are.
(() => {
  const { state, data, on, emit } = repviz;
  const known = new Map(); // run -> { tags, manifest, problem }
  let asking = false;

  /** Names: the open run first, then the pinned ones that there are. */
  function compared() {
    const there = new Set(data.runs?.runs.map((run) => run.name));
    return [...new Set([state.run, ...(state.pinned ?? [])])].filter((name) => there.has(name));
  }

  /** What is known of a compared run: its `manifest`, null as long as it is not there, and the `problem` that it has. */
  function pinned(run) {
    return run === state.run ? { manifest: data.manifest, problem: null } : (known.get(run) ?? { manifest: null, problem: null });
  }

  async function ask() {
    if (asking || state.page !== "compare" || !data.runs) return;
    asking = true;
    const others = compared().slice(1);
    for (const run of known.keys()) if (!others.includes(run)) known.delete(run);
    const news = await Promise.all(others.map(askOne));
    asking = false;
    if (news.includes(true)) emit("pinned");
  }

  /** Whether there is something new. */
  async function askOne(run) {
    if (!known.has(run)) known.set(run, { tags: {}, manifest: null, problem: null });
    const entry = known.get(run);
    const before = entry.problem;
    try {
      const manifest = await repviz.ask(repviz.address(run, "manifest"), entry.tags);
      if (manifest) Object.assign(entry, { manifest, problem: null });
      return manifest !== null;
    } catch (error) {
      entry.problem = error.message;
      return before !== entry.problem;
    }
  }

  on("clock", ask);
  on("runs", ask);
  on("state", (changed) => ["page", "pinned", "run"].some((key) => changed.has(key)) && ask());

  repviz.offer({ compared, pinned });
})();
