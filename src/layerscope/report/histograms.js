// Histograms of every layer, with a slider through the steps.

function histogramsOf(side) {
  const run = runNamed(PICKED[side]);
  const what = chosen("histogram-what", "activation");
  return (run && run.layers.histograms.quantities[what]) || {};
}

// All steps that any of the runs has a histogram of.
function histogramSteps() {
  const steps = SIDES.flatMap((side) => Object.values(histogramsOf(side)).flatMap((each) => each.steps));
  return [...new Set(steps)].sort((a, b) => a - b);
}

function shownStep() {
  const steps = histogramSteps();
  return steps[Math.min(Number(byId("step").value), steps.length - 1)] ?? 0;
}

// The place of the last snapshot up to a step; -1 if there is none yet.
function upTo(steps, step) {
  return steps.filter((each) => each <= step).length - 1;
}

// Where nearly all elements lie, over all layers and steps: a stray one must not flatten the rest.
function spread(histograms) {
  const [lows, highs] = [[], []];
  for (const { edges, shares } of Object.values(histograms)) {
    const ends = unpackRows(edges);
    unpackRows(shares).forEach((row, i) => {
      const [left, right] = ends[i];
      if (left === null || right === null) return;
      const bucket = (right - left) / row.length;
      let [first, last] = [0, row.length - 1];
      for (let sum = row[first]; sum < 0.002 && first < last; sum += row[first]) first += 1;
      for (let sum = row[last]; sum < 0.002 && last > first; sum += row[last]) last -= 1;
      lows.push(left + first * bucket);
      highs.push(left + (last + 1) * bucket);
    });
  }
  const [low, high] = [Math.min(...lows), Math.max(...highs)];
  const room = 0.02 * (high - low) || 0.5;
  return [low - room, high + room];
}

function prefixed(side) {
  return Object.fromEntries(Object.entries(histogramsOf(side)).map(([layer, each]) => [`${side} ${layer}`, each]));
}

function saturatedAt(run, layer, step) {
  const maps = run.layers.heatmaps && run.layers.heatmaps.maps.saturated;
  const row = maps ? maps.layers.indexOf(layer) : -1;
  if (row < 0) return "";
  const edges = unpack(run.layers.heatmaps.edges);
  const bin = Math.max(0, Math.min(edges.filter((edge) => edge <= step + 0.5).length - 1, edges.length - 2));
  const share = unpackRows(maps.z)[row][bin];
  return share === null ? "" : ` · ${Math.round(100 * share)} % sat.`;
}

function histogramChart(side) {
  return (width) => {
    const run = runNamed(PICKED[side]);
    const histograms = histogramsOf(side);
    const layers = Object.keys(histograms);
    const step = shownStep();
    const activations = chosen("histogram-what", "activation") === "activation";
    const own = chosen("histogram-scale", "same") === "own";
    // Gradients are compared by where they lie, so all runs have one axis.
    const same = spread(activations ? histograms : Object.assign({}, ...ofAll(prefixed)));
    const traces = [];
    let tallest = 0;
    layers.forEach((layer, i) => {
      const at = upTo(histograms[layer].steps, step);
      if (at < 0) return;
      const [left, right] = unpackRows(histograms[layer].edges)[at];
      const shares = unpackRows(histograms[layer].shares)[at];
      const bucket = (right - left) / shares.length || 0.02;
      tallest = Math.max(tallest, ...shares);
      traces.push({
        type: "bar", x: shares.map((_, k) => left + (k + 0.5) * bucket), y: shares, width: bucket,
        marker: { color: colour(INK[side]), line: { width: 0 } }, ...axesOf(i),
        hovertemplate: "%{x:.3g}: %{y:.1%}<extra></extra>",
      });
    });
    const titles = layers.map((layer) => plain(layer, 24) + (activations ? saturatedAt(run, layer, step) : ""));
    const layout = cells(titles, width, {
      least: 152, height: 130, left: 40, right: 4, top: 24, bottom: 26,
      x: (i) => ({ range: own ? spread({ only: histograms[layers[i]] }) : same, nticks: 4 }),
      y: { range: [0, tallest * 1.06 || 1], tickformat: ".0%", nticks: 4 },
    });
    const height = layout.height;
    // The run's name is above its row, in its colour; a page of one run has it at its top.
    const named = REPORT.runs.length > 1 || !layers.length;
    const head = named ? 30 : 0;
    for (const key of Object.keys(layout)) {
      if (key.startsWith("yaxis")) layout[key].domain = layout[key].domain.map((end) => (end * height) / (height + head));
    }
    for (const each of layout.annotations) each.y = (each.y * height) / (height + head);
    layout.height = height + head;
    if (named) layout.annotations.push({
      text: layers.length ? `<b>${plain(PICKED[side], width / 9)}</b>` : `${plain(PICKED[side])}: no such histograms`,
      showarrow: false, xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "top", font: { color: colour(INK[side]), size: 13 },
    });
    layout.bargap = 0;
    return { traces, layout };
  };
}
