// What Dash's components report goes into the state; see `register` in app.py.
(() => {
  const { state, data, set, themeOfPage } = repviz;
  const nothing = () => window.dash_clientside.no_update;

  const callbacks = {
    /** The layout is there: mount what the scripts draw, take the state from the URL, and ask for news. */
    start(config) {
      if (!config || data.config) return nothing();
      data.config = config;
      repviz.mountTimeline(document.getElementById("timeline"));
      repviz.mountLegend(document.getElementById("legend"));
      const one = (layers) => [repviz.oneLayer(layers)];
      new repviz.Grid(document.getElementById("maps"), "representations");
      new repviz.Grid(document.getElementById("overview-map"), "overview", one);
      new repviz.Grid(document.getElementById("samples-map"), "samples", one);
      repviz.mountSamples();
      repviz.mountOverview();
      repviz.mountPrediction();
      repviz.mountGraphActions();
      set({ ...repviz.readUrl(), theme: themeOfPage() });
      new MutationObserver(() => set({ theme: themeOfPage() })).observe(document.documentElement, {
        attributeFilter: ["data-mantine-color-scheme"],
      });
      repviz.refreshShell();
      repviz.tick();
      document.documentElement.dataset.repviz = "ready";
      return nothing();
    },
    tick() {
      repviz.tick();
      return nothing();
    },
    chooseRun(value) {
      if (value && value !== state.run) {
        set({ run: value, follow: true, epoch: null, classes: null, splits: null, layer: null, ...noPoints });
      }
      return nothing();
    },
    setMethod: report((value) => value !== repviz.method() && set({ method: value })),
    setAxes: report((value) => set({ axes: value })),
    setLabels: report((value) => set({ labels: value })),
    setColor: report((value) => value && set({ color: value })),
    setTool: report((value) => set({ tool: value })),
    setGhost: report((value) => set({ ghost: value === null || value === "" ? null : Number(value) })),
    setTrails: report((value) => set({ trails: value })),
    setShown: report((value) => set({ shown: value })),
    setVerdict: report((value) => set({ verdict: value })),
    setFind: report((value) => set({ find: value ?? "" })),
    setLog: report((value) => set({ log: value })),
    setSpeed: report((value) => set({ speed: Number(value) })),
    setFollow: report((value) => {
      if (value === state.follow) return;
      if (value) repviz.latest();
      else repviz.goTo(repviz.currentEpoch());
    }),
    toggleMenu: report((opened) =>
      repviz.mirror("shell", { navbar: { width: 190, breakpoint: "sm", collapsed: { mobile: !opened } } }),
    ),
    first: report(() => repviz.first()),
    previous: report(() => repviz.previous()),
    play: report(() => repviz.play()),
    next: report(() => repviz.next()),
    latest: report(() => repviz.latest()),
    help: report(() => repviz.mirror("help-dialog", { opened: true })),
    problems: report(() => repviz.openProblems()),
  };

  /** Another run has other points. */
  const noPoints = { selection: null, point: null, ghost: null };

  /** A callback that only reports: it changes no property of its own. */
  function report(act) {
    return (value) => {
      act(value);
      return nothing();
    };
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, { repviz: callbacks });
})();
