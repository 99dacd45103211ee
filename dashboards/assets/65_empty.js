// Why a figure is not there, and what would make it: a heading, and elements that follow it.
(() => {
  const { data, element } = repviz;

  /** A path as a shell takes it. */
  const quoted = (path) => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

  const diagnose = (kind, run = data.manifest.run) =>
    element("pre", {}, `repviz diagnose --only ${kind} --run-dir ${quoted(`${data.runs.runs_dir}/${run}`)}`);

  /** What switches a kind on in the next run. */
  const switchOn = (kind) => element("pre", {}, `repviz fit --config configs/concat.yaml --${kind.replaceAll("_", "-")}.enabled=true`);

  const whenFailed = ({ epoch }) => (epoch === null ? "for the whole run" : `at epoch ${epoch}`);

  function whyEmpty(name) {
    const broken = data.config.broken_pictures[name];
    if (broken) return [`The figure of ${name} cannot be loaded`, element("p", {}, `An installed package brings it. ${broken}`)];
    const kind = repviz.kindOf(name);
    if (!data.config.pictures[name]) return whyUndrawn(kind);
    const failed = data.manifest.errors.kinds[kind];
    if (failed) {
      const { error, message } = failed.last;
      return [
        `${kind} failed ${whenFailed(failed.last)}`,
        element("p", {}, `${error}: ${message}`),
        element("p", {}, "The traceback is under “problems” above. When the reason is mended, this computes it:"),
        diagnose(kind),
      ];
    }
    const configured = (data.manifest.kinds ?? []).includes(kind);
    if (configured && data.manifest.state === "running") {
      return [`No ${kind} yet`, element("p", {}, "It is configured, and shows up here as soon as its first epoch has been computed.")];
    }
    const reason = configured ? `${kind} is configured, but nothing of it was written.` : `${kind} is off in this run.`;
    return [
      reason.slice(0, -1),
      element("p", {}, "This computes it from the run's checkpoints:"),
      diagnose(kind),
      element("p", {}, "And this switches it on in the next run:"),
      switchOn(kind),
    ];
  }

  /** For a kind that no installed picture draws. */
  function whyUndrawn(kind) {
    return [
      `Nobody draws ${kind}`,
      element("p", {}, "Its numbers are there, but no installed package brings a figure for this kind. A package adds one by an entry point of the group ", element("code", {}, "repviz.figures"), "."),
      element("button", { type: "button", class: "link", onclick: () => saveNewest(kind) }, "Save the numbers of this epoch as CSV"),
    ];
  }

  function saveNewest(kind) {
    const epoch = repviz.nearest(repviz.epochsOf(kind), repviz.currentEpoch());
    if (epoch !== null) repviz.save(repviz.address(data.manifest.run, `numbers/${kind}/${epoch}`), "");
  }

  repviz.offer({ whyEmpty, whenFailed, diagnose, switchOn });
})();
