// Loss over steps, and the gradient over depth.

function stepsAxis(log, more = {}) {
  return { title: title(log ? "step + 1" : "step"), ...(log ? { type: "log", dtick: 1 } : {}), ...more };
}

function shifted(steps, log) {
  return log ? steps.map((step) => step + 1) : steps;
}

function lossChart(width) {
  const log = chosen("loss-steps", "linear") === "log";
  return SINGLE ? lossOfOne(width, log) : lossOfMany(width, log);
}

function lossOfOne(width, log) {
  const traces = Object.entries(REPORT.runs[0].curves).map(([tag, curve]) => {
    const thick = tag === REPORT.loss;
    const x = shifted(unpack(curve.x), log);
    return {
      x, y: unpack(curve.y), name: plain(tag), mode: x.length > 20 ? "lines" : "lines+markers",
      line: { color: colour(thick ? "c0" : "c1", thick ? 1 : 0.6), width: thick ? 2.5 : 1 }, marker: { size: 5 },
      hovertemplate: "step %{x}: %{y:.4f}",
    };
  });
  const losses = traces.flatMap((trace) => trace.y.filter((value) => value !== null));
  const [least, most] = [losses.reduce((a, b) => Math.min(a, b), Infinity), losses.reduce((a, b) => Math.max(a, b), -Infinity)];
  const steep = least > 0 && most > 30 * least ? logAxis(losses) : {};
  const layout = cells([""], width, { least: width, height: 320, x: stepsAxis(log), y: { title: title(`loss${REPORT.unit}`), ...steep }, top: 12 });
  return { traces: traces.reverse(), layout: { ...layout, showlegend: true, legend: { x: 1, xanchor: "right", y: 1, bgcolor: "rgba(0,0,0,0)" } } };
}

function lossOfMany(width, log) {
  const tag = chosen("loss-tag", REPORT.loss in REPORT.runs[0].curves ? REPORT.loss : Object.keys(REPORT.runs[0].curves)[0] || REPORT.loss);
  const names = facets();
  const traces = [];
  const [heights, lows, peaks] = [[], [], new Map()];
  REPORT.groups.forEach((group, index) => {
    const band = group.bands[tag];
    if (!band || HIDDEN.has(group.name)) return;
    const place = axesOf(names.indexOf(group.facet));
    const x = shifted(unpack(band.x), log);
    const [median, low, high] = [band.median, band.low, band.high].map(unpack);
    heights.push(Math.max(...median.filter((value) => value !== null)));
    lows.push(...low.filter((value) => value !== null));
    peaks.set(group, heights[heights.length - 1]);
    const ink = colour(`c${group.colour}`);
    if (band.count > 1) {
      const silent = { mode: "lines", line: { width: 0 }, hoverinfo: "skip", ...place };
      traces.push({ x, y: low, ...silent }, { x, y: high, ...silent, fill: "tonexty", fillcolor: colour(`c${group.colour}`, 0.18) });
    }
    for (const run of REPORT.runs) {
      if (run.group !== index || !run.curves[tag] || band.count < 2) continue;
      traces.push({
        x: shifted(unpack(run.curves[tag].x), log), y: unpack(run.curves[tag].y), mode: "lines", hoverinfo: "skip",
        line: { color: colour(`c${group.colour}`, tag === "train/loss" ? 0.15 : 0.4), width: 1 }, ...place,
      });
    }
    traces.push({
      x, y: median, mode: x.length > 20 ? "lines" : "lines+markers", line: { color: ink, width: 2.4 }, marker: { size: 5 }, ...place, name: plain(group.label),
      hovertemplate: `step %{x}: %{y:.4f}<extra>${plain(group.label).replaceAll("%{", "%&#123;")}</extra>`,
    });
  });
  // A training that blew up must not flatten the others: it is named below; a double-click shows it.
  heights.sort((a, b) => a - b);
  const usual = heights[Math.floor((heights.length - 1) / 2)];
  const layout = cells(names.map((name) => plain(name)), width, {
    least: 330, height: 270, x: stepsAxis(log), y: { title: title(plain(tag) + REPORT.unit) },
  });
  const top = Math.max(...heights.filter((height) => height <= 3 * Math.abs(usual)));
  const outside = REPORT.groups.filter((group) => (peaks.get(group) ?? 0) > top);
  if (outside.length) {
    const least = Math.min(...lows);
    layout.yaxis.range = [least - 0.05 * (top - least), top + 0.05 * (top - least)];
  }
  byId("loss-note").textContent = outside.length ? `Not in this range; double-click to see them: ${outside.map((group) => group.label).join("; ")}.` : "";
  return { traces, layout };
}

function gradientChart(width) {
  const when = chosen("gradient-when", "start");
  const names = facets();
  const traces = [];
  for (const run of REPORT.runs) {
    const group = REPORT.groups[run.group];
    if (!run.profile || HIDDEN.has(group.name)) continue;
    const place = axesOf(names.indexOf(group.facet));
    const y = power10(unpack(run.profile[when]));
    const x = y.map((_, i) => i + 1);
    const ink = colour(`c${group.colour}`, SINGLE || y.length > 30 ? 0.9 : 0.65);
    traces.push({
      x, y, mode: y.length > 30 ? "lines" : "lines+markers", line: { color: ink, width: 1.6 }, marker: { size: 5, color: ink }, ...place,
      customdata: run.profile.layers.map((layer) => plain(layer)),
      hovertemplate: `%{customdata}: %{y:.2e}<extra>${plain(run.name).replaceAll("%{", "%&#123;")}</extra>`,
    });
    if (when === "start" && run.typical && run.profile.predicted) {
      traces.push({
        x: x.slice(0, run.profile.predicted.shape[0]), y: power10(unpack(run.profile.predicted)), mode: "lines", line: { color: colour(`c${group.colour}`), width: 2, dash: "dash" }, ...place,
        hovertemplate: `predicted: %{y:.2e}<extra>${plain(group.label).replaceAll("%{", "%&#123;")}</extra>`,
      });
    }
  }
  const deepest = Math.max(...traces.map((trace) => trace.x.length), 2);
  const layout = cells(names.map((name) => plain(name)), width, {
    least: 330, height: 270, left: 66,
    x: { title: title("hidden layer, from the input"), range: [0.7, deepest + 0.3], ...(deepest <= 12 ? { dtick: 1 } : {}) },
    y: { title: title("RMS of d loss / d activation"), ...logAxis(traces.flatMap((trace) => trace.y)) },
  });
  return { traces, layout };
}
