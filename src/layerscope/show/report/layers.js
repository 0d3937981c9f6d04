// The layers of one run, or of two beside each other: histograms with a slider, and heat-maps.

const PICKED = { a: REPORT.healthy, b: REPORT.sick };
const INK = { a: "c0", b: "c1" };

function runNamed(name) {
  return REPORT.runs.find((run) => run.name === name && run.layers);
}

function pickers(changed) {
  for (const side of ["a", "b"]) {
    const select = byId(`run-${side}`);
    if (!select) continue;
    for (const run of REPORT.runs) {
      if (run.layers) select.append(element("option", { value: run.name, textContent: run.name, selected: run.name === PICKED[side] }));
    }
    select.addEventListener("change", () => {
      PICKED[side] = select.value;
      changed();
    });
  }
}

function histogramsOf(side) {
  const run = runNamed(PICKED[side]);
  const what = chosen("histogram-what", "activation");
  return (run && run.layers.histograms.quantities[what]) || {};
}

// All steps that either run has a histogram of.
function histogramSteps() {
  const steps = ["a", "b"].flatMap((side) => Object.values(histogramsOf(side)).flatMap((each) => each.steps));
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
    const same = spread(histograms);
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
    // The run's name is above its row, in its colour.
    const head = 30;
    for (const key of Object.keys(layout)) {
      if (key.startsWith("yaxis")) layout[key].domain = layout[key].domain.map((end) => (end * height) / (height + head));
    }
    for (const each of layout.annotations) each.y = (each.y * height) / (height + head);
    layout.height = height + head;
    layout.annotations.push({
      text: layers.length ? `<b>${plain(PICKED[side], width / 8)}</b>` : `${plain(PICKED[side])}: no such histograms`,
      showarrow: false, xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "top", font: { color: colour(INK[side]), size: 13 },
    });
    layout.bargap = 0;
    return { traces, layout };
  };
}

const HEATMAPS = {
  saturated: { title: "saturated share", share: true, what: "output was saturated" },
  activation_grad_rms: { title: "log10 RMS of d loss / d activation" },
  dead: { title: "share of dead units", share: true, what: "unit was dead" },
  update_to_weight: { title: "log10 RMS(update) / RMS(weight)", middle: -3 },
};

function heatmapsOf(side) {
  const run = runNamed(PICKED[side]);
  return (run && run.layers.heatmaps) || { maps: {}, of: 0 };
}

// A share that is 0 everywhere needs no map.
function hasAny(map) {
  return map && !(map.z.low === 0 && map.z.low + map.z.step * 254 < 1e-9) && unpack(map.z).some((value) => value !== 0);
}

// Both runs have the same scale, or their colours could not be compared.
function scale(quantity) {
  const kind = HEATMAPS[quantity];
  const values = ["a", "b"].flatMap((side) => {
    const map = heatmapsOf(side).maps[quantity];
    return map ? unpack(map.z).filter((value) => value !== null) : [];
  });
  const [low, high] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
  if (kind.share) {
    return { zmin: 0, zmax: Math.max(0.2, high), colorscale: [0, 1, 2, 3].map((i) => [[0, 0.2, 0.6, 1][i], colour(`share-${i}`)]) };
  }
  if (kind.middle !== undefined) {
    const reach = Math.max(1, Math.min(3, Math.max(Math.abs(high - kind.middle), Math.abs(low - kind.middle))));
    return { zmin: kind.middle - reach, zmax: kind.middle + reach, colorscale: [[0, colour("c0")], [0.5, colour("middle")], [1, colour("c1")]] };
  }
  return { zmin: low, zmax: Math.max(high, low + 0.5), colorscale: "Cividis" };
}

function heatmapChart(side) {
  return (width) => {
    const { maps, edges, of } = heatmapsOf(side);
    const log = chosen("heatmap-steps", "linear") === "log";
    // The same quantities on both sides, so that rows stand beside each other.
    const quantities = Object.keys(HEATMAPS).filter((each) => ["a", "b"].some((s) => hasAny(heatmapsOf(s).maps[each])));
    const none = Object.keys(HEATMAPS).filter((each) => !quantities.includes(each) && ["a", "b"].some((s) => heatmapsOf(s).maps[each]));
    byId("heatmap-note").textContent = none.map((each) => `No ${HEATMAPS[each].what} at any step.`).join(" ");
    const most = Math.max(1, ...["a", "b"].flatMap((s) => Object.values(heatmapsOf(s).maps).map((map) => map.layers.length)));
    const height = Math.max(110, Math.min(330, 22 * most));
    const layout = cells(quantities.map((each) => HEATMAPS[each].title), width, {
      least: width, height, left: 92, right: 74, shareY: false, bottom: 40, top: 46,
      x: stepsAxis(log),
      y: (i) => ticksOf((maps[quantities[i]] || { layers: [] }).layers, 14),
    });
    const traces = quantities.filter((each) => maps[each]).map((quantity) => {
      const i = quantities.indexOf(quantity);
      const [bottom, top] = layout[`yaxis${i ? i + 1 : ""}`].domain;
      const { layers, z } = maps[quantity];
      return {
        type: "heatmap", x: shifted(unpack(edges), log), y: layers.map((_, k) => k), z: unpackRows(z), ...axesOf(i), ...scale(quantity),
        customdata: layers.map((layer) => unpack(edges).slice(1).map(() => plain(layer))), hoverongaps: false, zsmooth: false,
        hovertemplate: `%{customdata}, step %{x:.0f}: %{z:${HEATMAPS[quantity].share ? ".1%" : ".2f"}}<extra></extra>`,
        colorbar: {
          x: 1 - 66 / width, xanchor: "left", y: (bottom + top) / 2, len: top - bottom, lenmode: "fraction", thickness: 10, outlinewidth: 0,
          tickfont: { size: 10, color: colour("dim") }, nticks: 5, ypad: 0, ...(HEATMAPS[quantity].share ? { tickformat: ".0%" } : {}),
        },
      };
    });
    quantities.forEach((quantity, i) => {
      if (maps[quantity]) return;
      const n = i ? i + 1 : "";
      Object.assign(layout[`xaxis${n}`], { visible: false });
      Object.assign(layout[`yaxis${n}`], { visible: false });
      layout.annotations[i].text += ": not measured";
      layout.annotations[i].font.color = colour("dim");
    });
    const more = of > 60 ? ` · 60 of ${of} layers` : "";
    layout.annotations.push({
      text: `<b>${plain(PICKED[side], width / 9)}</b>${more}`, showarrow: false, xref: "paper", yref: "paper", x: 0, y: 1,
      xanchor: "left", yanchor: "top", font: { color: colour(INK[side]), size: 13 },
    });
    return { traces, layout };
  };
}

// The first layer at the top; of many, every so many named.
function ticksOf(layers, most) {
  const every = Math.ceil(layers.length / most);
  const places = layers.map((_, i) => i).filter((i) => i % every === 0);
  return { range: [layers.length - 0.5, -0.5], tickvals: places, ticktext: places.map((i) => plain(layers[i], 14)), showgrid: false, zeroline: false };
}
