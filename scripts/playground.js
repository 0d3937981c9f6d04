// The nets, packed by write_playground.py, and the sliders that choose among them.

const NAMES = { activation: "activation", depth: "depth", width: "width", lr: "learning rate", gain: "init gain", bias: "bias" };
const PRESETS = {
  "Xavier": { activation: "tanh", depth: 5, width: 100, gain: 1, bias: 0, lr: 0.1 },
  "Bad init": { activation: "tanh", depth: 5, width: 100, gain: 10, bias: 1, lr: 0.1 },
  "Exhibit A: vanishing": { activation: "tanh", depth: 10, width: 100, gain: 0.8, bias: 0, lr: 0.1 },
  "Kaiming and ReLU": { activation: "relu", depth: 10, width: 100, gain: 1.414, bias: 0, lr: 0.1 },
  "Dead ReLUs": { activation: "relu", depth: 5, width: 30, gain: 1.414, bias: 1, lr: 1 },
  "Sigmoids": { activation: "sigmoid", depth: 5, width: 100, gain: 1.414, bias: 0, lr: 1 },
};
const DEEPEST = 20;
let told; // what the data say of themselves, and arrays by name
const asked = { ...PRESETS.Xavier, kept: 0 };

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new Uint32Array(buffer, 0, 1)[0];
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  for (const [name, { size, bytes: each }] of Object.entries(about.arrays)) {
    const part = buffer.slice(at, at + size * each);
    about.arrays[name] = each === 2 ? new Uint16Array(part) : new Uint8Array(part);
    at += size * each;
  }
  return about;
}

// The upper half of a float32 as the number it is.
function half(code) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, code);
  return view.getFloat32(0);
}

function values(name, from, count, decode = half) {
  return Array.from(told.arrays[name].subarray(from, from + count), decode);
}

// The place of the grid's value that is nearest, on the slider's scale.
function nearest(name) {
  if (name === "activation") return told.axes[name].indexOf(asked[name]);
  const away = told.axes[name].map((value) => Math.abs(position(name, value) - position(name, asked[name])));
  return away.indexOf(Math.min(...away));
}

// Where a value stands on its slider, 0 to 1: from one grid value to the next it is as far as to any other.
function position(name, value) {
  const axis = told.axes[name];
  const isLog = axis[0] > 0;
  const of = (each) => (isLog ? Math.log(each) : each);
  const place = Math.max(1, axis.findIndex((each) => each >= value - 1e-12));
  const share = (of(value) - of(axis[place - 1])) / (of(axis[place]) - of(axis[place - 1]));
  return (place - 1 + share) / (axis.length - 1);
}

function valueAt(name, at) {
  const axis = told.axes[name];
  const place = Math.min(Math.floor(at * (axis.length - 1) + 1e-9), axis.length - 2);
  const share = at * (axis.length - 1) - place;
  const [low, high] = [axis[place], axis[place + 1]];
  if (share < 1e-6) return low;
  const value = low > 0 ? low * (high / low) ** share : low + (high - low) * share;
  return Number.isInteger(axis[axis.length - 1]) && Number.isInteger(axis[0]) && name !== "bias" ? Math.round(value) : Number(value.toPrecision(2));
}

function draw() {
  const place = Object.fromEntries(Object.keys(told.axes).map((name) => [name, nearest(name)]));
  const net = Object.keys(told.axes).reduce((index, name) => index * told.axes[name].length + place[name], 0);
  const depth = told.axes.depth[place.depth];
  const drawn = Object.keys(told.axes).filter((name) => name !== "lr"); // theory knows no learning rate
  const init = drawn.reduce((index, name) => index * told.axes[name].length + place[name], 0);
  const kept = net * told.kept.length + asked.kept;
  const step = told.kept[asked.kept];
  const of = (name) => values(name, kept * DEEPEST, depth);
  const theory = (name) => values(name, init * DEEPEST, depth);
  const [std, grad] = [of("std"), of("grad")];
  sayWhichIsShown(place);
  sayVerdict(net);
  byId("tiles").replaceChildren(...std.map((spread, layer) => {
    const [left, right] = values("edges", (kept * DEEPEST + layer) * 2, 2);
    const counts = values("counts", (kept * DEEPEST + layer) * 30, 30, (code) => (code / 255) ** 2);
    const expected = step ? [] : [`theory ${number(theory("theory_std")[layer], 2)}`];
    const name = `${String(layer + 1).padStart(2, "0")}_${told.axes.activation[place.activation].replace("_", "")}`;
    return tile({ title: name, edges: [left, right], counts, says: Number.isFinite(spread) ? [`std ${number(spread, 2)}`, ...expected] : expected });
  }));
  const xs = std.map((_, layer) => layer + 1);
  const measured = { name: `measured, step ${step}`, look: "c0", dots: true };
  const expected = { name: "theory, step 0", look: "c1", dash: true };
  const relative = grad.map((value) => value / grad[depth - 1]);
  show("std", { xs, x: "hidden layer, from the input", y: "std of outputs", least: [0, 0.1],
    series: [{ ...expected, values: theory("theory_std") }, { ...measured, values: std }],
    describes: `Spread of the outputs of ${depth} layers at step ${step}: ${std.map((v) => number(v, 2)).join(", ")}` });
  show("grad", { xs, x: "hidden layer, from the input", y: "RMS, last layer = 1", log: true, least: [-1, 1],
    series: [{ ...expected, values: theory("theory_grad") }, { ...measured, values: relative }],
    describes: `Gradient of ${depth} layers at step ${step}, the last one's being 1: ${relative.map((v) => number(v, 2)).join(", ")}` });
  const loss = values("loss", net * told.loss_steps.length, told.loss_steps.length, (code) => (code === 65535 ? Infinity : Math.expm1(code / 4096)));
  const end = loss[loss.length - 1];
  const lost = loss.findIndex((value) => !Number.isFinite(value));
  const said = lost < 0 ? `from ${number(loss[0])} to ${number(end)}` : `from ${number(loss[0])}; not finite at step ${told.loss_steps[lost]}`;
  show("loss", { xs: told.loss_steps, x: "step", y: "loss in nats", log: Math.max(...loss.filter(Number.isFinite)) > 20,
    marks: [{ at: Math.log(27), says: "a guess among 27" }], series: [{ name: said, look: "c0", values: loss }],
    describes: `Loss in nats, ${said}` });
}

function show(id, chart) {
  byId(id).replaceChildren(lineChart(chart), legend(chart.series));
}

function sayWhichIsShown(place) {
  const between = Object.keys(told.axes).filter((name) => told.axes[name][place[name]] !== asked[name]);
  const shown = Object.keys(told.axes).map((name) => `${NAMES[name]} ${told.axes[name][place[name]]}`).join(", ");
  const note = between.length
    ? [element("b", { textContent: "Between grid points. " }), `No net was trained with ${between.map((name) => `${NAMES[name]} ${number(asked[name])}`).join(", ")}. The nearest is shown: ${shown}.`]
    : [`Shown: the net trained with ${shown}.`];
  byId("between").replaceChildren(...note);
  for (const name of Object.keys(told.axes)) {
    if (name === "activation") byId(name).value = asked[name];
    else {
      byId(name).value = position(name, asked[name]);
      byId(name).setAttribute("aria-valuetext", number(asked[name]));
      byId(`${name}-value`).textContent = number(asked[name]);
    }
  }
  history.replaceState(null, "", `#${new URLSearchParams(asked)}`);
}

function sayVerdict(net) {
  const findings = told.findings[net].map((place) => told.sentences[place]);
  if (!findings.length) {
    const healthy = element("span", { className: "severity healthy", textContent: "✓ healthy" });
    byId("verdict").replaceChildren(element("p", {}, healthy, " No rule found anything in its 100 steps."));
    return;
  }
  const lines = findings.map(([rule, severity, explanation, remedy]) => element("li", {},
    element("span", { className: `severity ${severity}`, textContent: `${severity === "note" ? "·" : "✗"} ${severity}: ` }),
    element("b", { textContent: rule.replaceAll("_", " ") }), `: ${explanation}.`,
    element("span", { className: "do", textContent: `What to do: ${remedy}.` })));
  byId("verdict").replaceChildren(element("ul", {}, ...lines));
}

function control(name) {
  const of = told.axes[name];
  const row = element("div", { className: "control" });
  const label = element("label", { htmlFor: name }, NAMES[name]);
  if (name === "activation") {
    const select = element("select", { id: name }, ...of.map((each) => element("option", { value: each, textContent: each })));
    select.addEventListener("change", () => { asked[name] = select.value; draw(); });
    row.append(label, select);
    return row;
  }
  label.append(element("output", { id: `${name}-value`, htmlFor: name }));
  const slider = element("input", { id: name, type: "range", min: 0, max: 1, step: 1 / (of.length - 1) / 4 });
  slider.addEventListener("input", () => { asked[name] = valueAt(name, Number(slider.value)); draw(); });
  row.append(label, slider);
  return row;
}

async function main() {
  told = await unpacked(byId("nets").textContent.trim());
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const axis = told.axes[name];
    if (name === "kept" && told.kept[value] !== undefined) asked.kept = Number(value);
    else if (name === "activation" && axis.includes(value)) asked[name] = value;
    else if (axis && name !== "activation" && value !== "" && value >= axis[0] && value <= axis[axis.length - 1]) asked[name] = Number(value);
  }
  byId("controls").replaceChildren(...["activation", "depth", "width", "gain", "bias", "lr"].map(control));
  byId("kept").replaceChildren(...told.kept.map((step, place) => {
    const radio = element("input", { type: "radio", name: "kept", value: place, checked: place === asked.kept });
    radio.addEventListener("change", () => { asked.kept = place; draw(); });
    return element("label", {}, radio, ` step ${step}`);
  }));
  byId("presets").replaceChildren(...Object.entries(PRESETS).map(([name, settings]) => {
    const button = element("button", { type: "button", textContent: name });
    button.addEventListener("click", () => { Object.assign(asked, settings); draw(); });
    return button;
  }));
  setUpTheme(draw);
  draw();
}

main();
