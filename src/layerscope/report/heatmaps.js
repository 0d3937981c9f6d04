// Layers by steps: a map for each risk.

const HEATMAPS = {
  saturated: { title: "saturated share", share: true, what: "output was saturated" },
  activation_grad_rms: { title: "log10 RMS of d loss / d activation", span: 2 },
  dead: { title: "share of dead units", share: true, what: "unit was dead" },
  update_to_weight: { title: "log10 RMS(update) / RMS(weight)", middle: -3 },
  attention_entropy: { title: "entropy of attention, 1 is uniform", range: [0, 1] },
  attention_logit: { title: "log10 largest logit of attention" },
  stream_rms: { title: "log10 RMS of the residual stream", span: 2 },
  branch_to_stream: { title: "log10 RMS(branch) / RMS(stream)" },
  expert_load: { title: "log10 tokens of the busiest expert / mean" },
  experts_unused: { title: "share of experts without tokens", share: true, what: "expert was without tokens" },
  gate_shut: { title: "share of gates that are shut", range: [0, 1] },
  gate_open: { title: "share of gates that are open", range: [0, 1] },
};

function heatmapsOf(side) {
  const run = runNamed(PICKED[side]);
  return (run && run.layers.heatmaps) || { maps: {}, of: 0 };
}

// A share that is 0 everywhere needs no map.
function hasAny(map) {
  return map && !(map.z.low === 0 && map.z.low + map.z.step * 254 < 1e-9) && unpack(map.z).some((value) => value !== 0);
}

// All runs have the same scale, or their colours could not be compared.
function scale(quantity) {
  const kind = HEATMAPS[quantity];
  const values = SIDES.flatMap((side) => {
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
  if (kind.range) return { zmin: kind.range[0], zmax: kind.range[1], colorscale: "Cividis" };
  return { zmin: low, zmax: Math.max(high, low + (kind.span || 0.5)), colorscale: "Cividis" };
}

function heatmapChart(side) {
  return (width) => {
    const { maps, edges, of } = heatmapsOf(side);
    const log = chosen("heatmap-steps", "linear") === "log";
    // The same quantities on all sides, so that rows stand beside each other.
    const quantities = Object.keys(HEATMAPS).filter((each) => SIDES.some((s) => hasAny(heatmapsOf(s).maps[each])));
    const none = Object.keys(HEATMAPS).filter((each) => !quantities.includes(each) && SIDES.some((s) => heatmapsOf(s).maps[each]));
    byId("heatmap-note").textContent = none.map((each) => `No ${HEATMAPS[each].what} at any step.`).join(" ");
    const most = Math.max(1, ...SIDES.flatMap((s) => Object.values(heatmapsOf(s).maps).map((map) => map.layers.length)));
    const height = Math.max(110, Math.min(330, 22 * most));
    const layout = cells(quantities.map((each) => HEATMAPS[each].title), width, {
      least: width, height, left: 104, right: 74, shareY: false, bottom: 40, top: 46,
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
    const name = REPORT.runs.length > 1 ? `<b>${plain(PICKED[side], width / 9)}</b>` : "";
    layout.annotations.push({
      text: name + more, showarrow: false, xref: "paper", yref: "paper", x: 0, y: 1,
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
