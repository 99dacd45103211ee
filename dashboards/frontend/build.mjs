// Builds what dashboards/assets takes from npm: regl-scatterplot and a part of plotly.js as one script each, the font,
// and their licences.
// `npm install && npm run build` in this folder; the results are committed.
import { build } from "esbuild";
import { copyFile, readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";

const assets = path.resolve("../assets");

// regl-scatterplot draws every point as a disc. The fourth value of a point (valueB) is its split here, and the split
// is a shape: 0 disc (train), 1 diamond (val), 2 cross (excluded). A rim, darker on pale colours
// and lighter on dark ones, keeps points apart from each other and from a white or black background.
const EDITS = [
  {
    find: "varying vec4 color;\nvarying float finalPointSize;\n\nvoid main() {\n  vec4 state",
    put: "varying vec4 color;\nvarying float finalPointSize;\nvarying float shape;\n\nvoid main() {\n  vec4 state",
  },
  {
    find: "  gl_PointSize = finalPointSize;\n",
    put: "  gl_PointSize = finalPointSize;\n  shape = state.w;\n",
  },
  {
    find: "varying vec4 color;\nvarying float finalPointSize;\n\nfloat linearstep",
    put: "varying vec4 color;\nvarying float finalPointSize;\nvarying float shape;\n\nfloat linearstep",
  },
  {
    find: "  float sdf = length(c) * finalPointSize;\n",
    put: `  float along = abs(abs(c.x) - abs(c.y)) * 0.7071;
  float reach = max(abs(c.x), abs(c.y));
  float form = shape < 0.5 ? length(c) : shape < 1.5 ? abs(c.x) + abs(c.y) : max(along / 0.34, reach);
  float sdf = form * finalPointSize;
`,
  },
  {
    find: "  gl_FragColor = vec4(color.rgb, alpha * color.a);\n}\n`;\n\nconst createVertexShader",
    put: `  float rim = finalPointSize > 5.0 ? linearstep(finalPointSize - 2.6, finalPointSize - 0.6, sdf) : 0.0;
  float light = dot(color.rgb, vec3(0.3, 0.59, 0.11));
  vec3 edge = light > 0.38 ? color.rgb * 0.62 : color.rgb * 0.8 + 0.26;
  gl_FragColor = vec4(mix(color.rgb, edge, rim), alpha * color.a);
}
\`;

const createVertexShader`,
  },
];

// A map that is made to fit a narrow card is seen from farther away; its points keep their size.
EDITS.push({
  find: `    return max(minPointScale, camera.scaling[0]) * window.devicePixelRatio;
  };
  let getPointScale = getAsinhPointScale;`,
  put: `    return window.devicePixelRatio;
  };
  let getPointScale = getAsinhPointScale;`,
});

// Copying half a pixel off would blur every map whose size is odd where the renderer's is even.
EDITS.push(
  ...["width", "height"].map((side) => ({
    find: `(canvas.${side} - targetCanvas.${side}) / 2`,
    put: `Math.floor((canvas.${side} - targetCanvas.${side}) / 2)`,
  })),
);

const shapes = {
  name: "shapes",
  setup(builder) {
    builder.onLoad({ filter: /regl-scatterplot\.esm\.js$/ }, async ({ path: file }) => {
      let contents = await readFile(file, "utf8");
      for (const { find, put } of EDITS) {
        if (contents.split(find).length !== 2) throw new Error(`regl-scatterplot has changed; not found once: ${find}`);
        contents = contents.replace(find, () => put);
      }
      return { contents, loader: "js" };
    });
  },
};

const manifest = async (name) => JSON.parse(await readFile(`node_modules/${name}/package.json`, "utf8"));

async function licence(name) {
  const file = (await readdir(`node_modules/${name}`)).find((f) => /^licen[cs]e/i.test(f));
  const { version, license } = await manifest(name);
  // A few packages name their licence without bringing its text.
  const text = file ? await readFile(`node_modules/${name}/${file}`, "utf8") : `${license}; the package has no text of it`;
  return `${name} ${version}\n\n${text.trim()}\n`;
}

const common = { bundle: true, minify: true, format: "iife", target: "es2020", charset: "utf8", legalComments: "none" };

await build({
  ...common,
  entryPoints: ["scatterplot.js"],
  globalName: "reglScatterplot",
  plugins: [shapes],
  banner: {
    js: "/* regl-scatterplot (MIT), with point shapes, and what it needs; licences: 10_regl_scatterplot.LICENSE.txt */",
  },
  outfile: path.join(assets, "10_regl_scatterplot.js"),
});

// What esbuild has put into a bundle is counted by the packages that its inputs lie in.
async function buildWithLicences(name, what) {
  const { metafile } = await build({
    ...common,
    entryPoints: [`${name}.js`],
    define: { global: "window" },
    loader: { ".css": "empty" }, // of maps, which are not taken
    metafile: true,
    banner: { js: `/* ${what}; licences: 10_${name}.LICENSE.txt */` },
    outfile: path.join(assets, `10_${name}.js`),
  });
  const inputs = Object.entries(metafile.inputs).filter(([file]) => !file.endsWith(".css"));
  const packages = inputs.map(([file]) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]);
  await writeLicences(name, new Set(packages.filter(Boolean)));
}

async function writeLicences(name, packages) {
  const rule = `\n${"-".repeat(80)}\n\n`;
  const texts = await Promise.all([...packages].sort().map(licence));
  await writeFile(path.join(assets, `10_${name}.LICENSE.txt`), texts.join(rule));
}

await buildWithLicences("plotly_light", "a part of plotly.js (MIT) and what it needs");
await buildWithLicences("regenerator", "regenerator-runtime (MIT)");

// regl-scatterplot comes with its dependencies already inlined, so they are counted by what it asks for.
const bundled = new Set();
async function take(name) {
  if (bundled.has(name)) return;
  bundled.add(name);
  for (const needed of Object.keys((await manifest(name)).dependencies ?? {})) await take(needed);
}
await take("regl-scatterplot");
await writeLicences("regl_scatterplot", bundled);

for (const subset of ["latin", "latin-ext"]) {
  await copyFile(
    `node_modules/@fontsource-variable/inter/files/inter-${subset}-wght-normal.woff2`,
    path.join(assets, `inter-${subset}.woff2`),
  );
}
await writeFile(path.join(assets, "inter.LICENSE.txt"), await licence("@fontsource-variable/inter"));
