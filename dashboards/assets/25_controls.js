// Native controls that look like the rest: a few choices side by side, many in a list.
(() => {
  const { element } = repviz;

  /** Radio buttons in a row; `choices` are values, shown as they are. */
  function segments(key, label, choices, value, choose) {
    const numbers = choices.every((choice) => /^\d+$/.test(choice));
    const ordered = numbers ? [...choices].sort((a, b) => a - b) : choices; // the default comes first, unless they count
    const options = ordered.map((choice) => {
      const input = element("input", {
        type: "radio", name: key, value: choice, checked: choice === value, "data-control": `${key}=${choice}`,
        onchange: () => choose(choice),
      });
      return element("label", {}, input, element("span", {}, choice));
    });
    const group = element("div", { class: "segments" }, ...options);
    return element("fieldset", { class: "control" }, element("legend", { class: "control-label" }, label), group);
  }

  /** A list to choose from; `options` are pairs of value and text. */
  function dropdown(key, label, options, value, choose) {
    const made = element("select", { "data-control": key, onchange: () => choose(made.value) },
      ...options.map(([name, text]) => element("option", { value: name, selected: name === value }, text)));
    return element("label", { class: "control" }, element("span", { class: "control-label" }, label), made);
  }

  repviz.offer({ segments, dropdown });
})();
