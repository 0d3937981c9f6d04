// Charts are drawn when they come near the screen, and again when something about them changes.

const BUILDERS = new Map(); // element -> () => ({ traces, layout })
const DRAWN = new Set();
const HIDDEN = new Set(); // names of looks that the legend has switched off

const COARSE = matchMedia("(pointer: coarse)");
const CONFIG = {
  displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
  displaylogo: false,
  modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
};

const NEAR = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
  { rootMargin: "500px" },
);

const SIZES = new Map();
const WIDTHS = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const width = Math.round(contentRect.width);
    if (SIZES.get(target) !== width && DRAWN.has(target)) requestAnimationFrame(() => draw(target));
    SIZES.set(target, width);
  }
});

// Register a chart; `build` gets its width in pixels.
function chart(id, build) {
  const place = byId(id);
  if (!place) return;
  BUILDERS.set(place, build);
  NEAR.observe(place);
  WIDTHS.observe(place);
}

function draw(place) {
  const width = place.clientWidth;
  if (!width) return;
  const { traces, layout } = BUILDERS.get(place)(width);
  DRAWN.add(place);
  const frame = {
    width,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("ink") },
    showlegend: false,
    hovermode: "closest",
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") }, align: "left", namelength: -1 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("dim"), activecolor: colour("accent") },
    // A finger that scrolls the page must not zoom the charts it passes.
    dragmode: COARSE.matches ? false : "zoom",
  };
  Plotly.react(place, traces, { ...frame, ...layout }, CONFIG);
}

function redraw(...ids) {
  const places = ids.length ? ids.map(byId) : [...DRAWN];
  places.filter((place) => DRAWN.has(place)).forEach(draw);
}

function drawAll() {
  for (const place of BUILDERS.keys()) if (!DRAWN.has(place)) draw(place);
}

function axis(more = {}) {
  return {
    gridcolor: colour("grid"), linecolor: colour("line"), zerolinecolor: colour("grid"),
    tickfont: { color: colour("dim"), size: 11 }, automargin: false, exponentformat: "power", ...more,
  };
}

// A logarithmic axis for these numbers: two decades at least, so that a little is not made to look
// like much, with ticks as people write numbers.
function logAxis(values) {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  const [least, most] = logs.length ? [Math.min(...logs), Math.max(...logs)] : [-1, 1];
  const room = Math.max(0.05 * (most - least), (2 - (most - least)) / 2);
  const [low, high] = [least - room, most + room];
  const every = Math.ceil((high - low) / 8);
  const ticks = [];
  for (let power = Math.floor(low); power <= high; power += 1) {
    for (const digit of high - low < 3 ? [1, 2, 5] : [1]) {
      const place = power + Math.log10(digit);
      if (place >= low && place <= high && power % every === 0) ticks.push([10 ** place, digit, power]);
    }
  }
  return {
    type: "log", range: [low, high], tickvals: ticks.map(([value]) => value),
    ticktext: ticks.map(([value, digit, power]) => (power < -3 || power > 4 ? `${digit}e${power}` : number(value))),
  };
}

// A colour of the style sheet as Plotly can read it; an opacity makes it see-through.
function colour(name, opacity = 1) {
  const probe = element("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g);
  probe.remove();
  return `rgba(${red},${green},${blue},${opacity})`;
}

function title(text) {
  return { text, font: { size: 12, color: colour("dim") }, standoff: 6 };
}

// Cells side by side as far as the width goes: axes, titles and the height of the whole.
// `options`: least (width of a cell), height (of a cell), x and y (layouts of the axes), shareY,
// and margins in pixels: left, right, top (room for a title), bottom (room for ticks).
function cells(titles, width, options) {
  const { least, height, x, y, left = 58, right = 12, top = 26, bottom = 44, shareY = true } = options;
  const columns = Math.max(1, Math.min(titles.length, Math.floor(width / least)));
  const rows = Math.ceil(titles.length / columns);
  const whole = rows * (top + height + bottom);
  const layout = { height: whole, margin: { l: 0, r: 0, t: 0, b: 0 }, annotations: [] };
  titles.forEach((text, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const cell = width / columns;
    // Where the y axis is shared, only the first of a row shows its ticks, but all keep the room.
    const start = [column * cell + left, (column + 1) * cell - right];
    const end = [whole - row * (top + height + bottom) - top, 0];
    end[1] = end[0] - height;
    const n = i ? i + 1 : "";
    const xDomain = start.map((place) => place / width);
    const yDomain = [end[1] / whole, end[0] / whole];
    layout[`xaxis${n}`] = axis({ ...resolve(x, i), domain: xDomain, anchor: `y${n}` });
    layout[`yaxis${n}`] = axis({ ...resolve(y, i), domain: yDomain, anchor: `x${n}`, ...(shareY && i ? { matches: "y" } : {}) });
    if (shareY && column) layout[`yaxis${n}`].title = undefined;
    if (text) {
      layout.annotations.push({
        text, showarrow: false, xref: "paper", yref: "paper", x: (xDomain[0] + xDomain[1]) / 2, y: yDomain[1],
        xanchor: "center", yanchor: "bottom", font: { size: 12, color: colour("ink") },
      });
    }
  });
  return layout;
}

function resolve(part, i) {
  return typeof part === "function" ? part(i) : part;
}

// In the order of rank; those that are told apart by numbers in the order of these, 5 before 20.
function facets() {
  const titles = [...new Set(REPORT.groups.map((group) => group.facet))];
  const order = new Intl.Collator("en", { numeric: true });
  return titles.every((title) => /=\d/.test(title)) ? titles.sort(order.compare) : titles;
}

function axesOf(i) {
  return { xaxis: `x${i ? i + 1 : ""}`, yaxis: `y${i ? i + 1 : ""}` };
}

// What each colour stands for, as buttons that switch it off and on in all charts.
function legends() {
  const looks = new Map(REPORT.groups.map((group) => [group.name, group.colour]));
  for (const place of document.querySelectorAll(".legend")) {
    if (looks.size < 2) continue;
    for (const [name, index] of looks) {
      const button = element("button", { type: "button" }, element("i", { className: `dot c${index}` }), name);
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        if (!HIDDEN.delete(name)) HIDDEN.add(name);
        for (const each of document.querySelectorAll(".legend button")) {
          each.setAttribute("aria-pressed", String(!HIDDEN.has(each.textContent)));
        }
        redraw();
      });
      place.append(button);
    }
  }
}
