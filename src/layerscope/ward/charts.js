// SVG charts without a library: lines, and a histogram as a tile. Colours are those of theme.css.

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// 0.00123 as it is, 1.2e-9 as a power: three digits, and no longer than seven characters.
function number(value, digits = 3) {
  if (value === null || Number.isNaN(value)) return "none";
  if (!Number.isFinite(value)) return value > 0 ? "infinite" : "-infinite";
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e5)) return value.toExponential(1);
  return String(Number(value.toPrecision(digits)));
}

// Some 4 round numbers from low to high.
function ticks(low, high) {
  const raw = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const made = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-6; at += 1) made.push(at * step);
  return made;
}

// Powers of ten, at most 6 of them.
function powers(low, high) {
  const [from, to] = [Math.ceil(low - 1e-9), Math.floor(high + 1e-9)];
  const step = Math.max(1, Math.ceil((to - from) / 5));
  const made = [];
  for (let at = from; at <= to; at += step) made.push(at);
  return made;
}

// An axis: [low, high] of what is drawn, its ticks, and what is written at them.
function axisOf(values, { log = false, least = [Infinity, -Infinity] } = {}) {
  const known = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  const drawn = log ? known.map(Math.log10) : known;
  let low = Math.min(least[0], ...drawn);
  let high = Math.max(least[1], ...drawn);
  if (!(low <= high)) [low, high] = [0, 1];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const at = log ? powers(low, high) : ticks(low, high);
  return { low, high, at, says: log ? (power) => number(10 ** power, 1) : (value) => number(value) };
}

// A chart of lines over common x. Each of `series`: name, values, look ("c0", "c1"), dash, dots.
function lineChart({ xs, series, x, y, log = false, least, marks = [], describes }) {
  const [width, height, left, right, top, bottom] = [340, 230, 52, 10, 12, 42];
  const axis = axisOf([...series.flatMap((each) => each.values), ...marks.map((mark) => mark.at)], { log, least });
  const [first, last] = [xs[0], Math.max(xs[xs.length - 1], xs[0] + 1)];
  const px = (value) => left + ((value - first) / (last - first)) * (width - left - right);
  const py = (value) => height - bottom - ((value - axis.low) / (axis.high - axis.low)) * (height - top - bottom);
  const scale = (value) => (log ? Math.log10(value) : value);
  const drawn = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": describes, class: "chart" });
  for (const at of axis.at) {
    drawn.append(shape("line", { x1: left, x2: width - right, y1: py(at), y2: py(at), class: "grid" }));
    drawn.append(shape("text", { x: left - 6, y: py(at) + 4, "text-anchor": "end" }, axis.says(at)));
  }
  for (const at of ticks(first, last).filter(Number.isInteger)) {
    drawn.append(shape("text", { x: px(at), y: height - bottom + 17, "text-anchor": "middle" }, number(at)));
  }
  drawn.append(shape("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, x));
  drawn.append(shape("text", { transform: `translate(12 ${(height - bottom + top) / 2}) rotate(-90)`, "text-anchor": "middle" }, y));
  for (const mark of marks) {
    const at = py(scale(mark.at));
    drawn.append(shape("line", { x1: left, x2: width - right, y1: at, y2: at, class: "mark" }));
    drawn.append(shape("text", { x: width - right, y: at - 5, "text-anchor": "end" }, mark.says));
  }
  for (const { values, look, dash, dots } of series) {
    const points = [];
    values.forEach((value, place) => {
      const at = scale(value);
      if (Number.isFinite(at)) points.push([px(xs[place]), py(at)]);
    });
    const path = { points: points.join(" "), class: `line ${look}` };
    drawn.append(shape("polyline", dash ? { ...path, "stroke-dasharray": "6 5" } : path));
    if (dots || points.length === 1) for (const [cx, cy] of points) drawn.append(shape("circle", { cx, cy, r: 4, class: `dot ${look}` }));
  }
  return drawn;
}

// What the lines of a chart are.
function legend(series) {
  const swatch = ({ look, dash, dots }) => {
    const drawn = shape("svg", { viewBox: "0 0 28 10", class: "swatch", "aria-hidden": "true" });
    const line = { points: "1,5 27,5", class: `line ${look}` };
    drawn.append(shape("polyline", dash ? { ...line, "stroke-dasharray": "6 5" } : line));
    if (dots) drawn.append(shape("circle", { cx: 14, cy: 5, r: 4, class: `dot ${look}` }));
    return drawn;
  };
  return element("p", { className: "legend" }, ...series.map((each) => element("span", {}, swatch(each), ` ${each.name}`)));
}

// One layer's histogram: bars of equal width from edges[0] to edges[1], and what it says below.
function tile({ title, edges, counts, says }) {
  const [width, height, foot] = [150, 84, 16];
  const drawn = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${says.join(", ")}` });
  const most = Math.max(...counts);
  if (most > 0) {
    counts.forEach((count, place) => {
      const high = (count / most) * (height - foot - 2);
      const bar = { x: (place * width) / counts.length + 0.4, y: height - foot - high, width: width / counts.length - 0.8, height: high };
      drawn.append(shape("rect", { ...bar, class: "bar" }));
    });
    drawn.append(shape("text", { x: 0, y: height - 3 }, number(edges[0], 2)));
    drawn.append(shape("text", { x: width, y: height - 3, "text-anchor": "end" }, number(edges[1], 2)));
  } else {
    drawn.append(shape("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "not finite"));
  }
  drawn.append(shape("line", { x1: 0, x2: width, y1: height - foot, y2: height - foot, class: "grid" }));
  return element("figure", {}, element("figcaption", {}, element("b", { textContent: title })), drawn, element("small", { innerText: says.join("\n") }));
}
