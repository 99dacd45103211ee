// What the pages use of regl-scatterplot; becomes the global `reglScatterplot`.
export { default as createScatterplot, createRenderer } from "regl-scatterplot";
