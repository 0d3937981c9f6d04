// Where each init stands between order and chaos.

const ROUND = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000];

function phaseChart(width) {
  const charts = REPORT.phases;
  const traces = [];
  const bar = 62; // pixels for the scale, at the right
  const layout = cells(charts.map((each) => plain(each.activation)), width - bar, {
    least: 330, height: 270, shareY: false, right: 14,
    x: (i) => {
      const x = unpack(charts[i].x);
      const ticks = ROUND.filter((value) => Math.log10(value) >= x[0] && Math.log10(value) <= x[x.length - 1]);
      return {
        title: title("weight variance × fan-in"), range: [x[0], x[x.length - 1]], showgrid: false, zeroline: false,
        tickvals: ticks.map(Math.log10), ticktext: ticks.map(String),
      };
    },
    y: (i) => {
      const y = unpack(charts[i].y);
      return { title: title("standard deviation of biases"), range: [-0.03 * y[y.length - 1], y[y.length - 1]], showgrid: false, zeroline: false };
    },
  });
  for (const key of Object.keys(layout)) {
    if (key.startsWith("xaxis")) layout[key].domain = layout[key].domain.map((end) => (end * (width - bar)) / width);
  }
  for (const each of layout.annotations) each.x = (each.x * (width - bar)) / width;
  charts.forEach((each, i) => {
    const place = axesOf(i);
    const x = unpack(each.x);
    traces.push({
      type: "heatmap", x, y: unpack(each.y), z: unpackRows(each.depth), customdata: unpackRows(each.chi).map((row) => row.map((chi) => number(10 ** chi))),
      colorscale: "Cividis", zmin: -0.5, zmax: 2.5, zsmooth: "best", ...place, showscale: i === 0,
      hovertemplate: "variance × fan-in %{text}, depth scale %{z:.2f} decades of layers, chi %{customdata}<extra></extra>",
      text: unpackRows(each.depth).map((row) => row.map((_, k) => number(10 ** x[k]))),
      colorbar: {
        title: { text: "depth scale, layers", side: "right", font: { size: 11, color: colour("dim") } }, tickvals: [0, 1, 2], ticktext: ["1", "10", "100"], thickness: 10, outlinewidth: 0,
        x: 1 - (bar - 4) / width, xanchor: "left", y: layout.yaxis.domain[1], yanchor: "top", ypad: 0,
        len: layout.yaxis.domain[1] - layout.yaxis.domain[0], tickfont: { size: 10, color: colour("dim") },
      },
    });
    traces.push({
      x: unpack(each.line_x), y: unpack(each.line_y), mode: "lines", line: { color: "#fff", width: 2.5, dash: "dot" }, ...place,
      hovertemplate: "critical<extra></extra>",
    });
    const dots = each.dots.filter((dot) => !HIDDEN.has(REPORT.groups[dot.group].name));
    traces.push({
      x: dots.map((dot) => dot.x), y: dots.map((dot) => dot.y), mode: "markers", ...place,
      marker: { size: 13, color: dots.map((dot) => colour(`c${REPORT.groups[dot.group].colour}`)), line: { color: "#fff", width: 2 } },
      customdata: dots.map((dot) => [
        plain(REPORT.groups[dot.group].label), dot.verdict, number(10 ** dot.x), number(dot.chi),
        dot.survives === null ? "any depth" : `${Math.round(dot.survives)} layers`,
      ]),
      hovertemplate: "%{customdata[0]}<br>%{customdata[1]}: σ² %{customdata[2]}, chi %{customdata[3]}, survives %{customdata[4]}<extra></extra>",
    });
  });
  return { traces, layout };
}
