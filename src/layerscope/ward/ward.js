// A round: the charts of one patient after the other, an answer, the truth and the reason.

const WARD = JSON.parse(byId("ward").textContent);
const got = []; // points of the patients so far
let patient;

// Rows of bars over the steps, a row for each layer, on one axis.
function rowChart({ title, log, values }, names) {
  const [width, left, right, high, foot] = [360, 74, 52, 24, 20];
  const steps = values.length;
  const axis = axisOf(values.flat(), log ? { log } : { least: [0, 1] });
  if (log && axis.high - axis.low < 1) [axis.low, axis.high] = [axis.low - 0.5, axis.low + 1];
  const drawn = shape("svg", { viewBox: `0 0 ${width} ${names.length * high + foot}`, role: "img",
    "aria-label": `${title}: ${names.map((name, layer) => `${name} from ${number(values[0][layer], 2)} to ${number(values[steps - 1][layer], 2)}`).join(", ")}` });
  const wide = (width - left - right) / steps;
  names.forEach((name, layer) => {
    const base = (layer + 1) * high - 3;
    drawn.append(shape("text", { x: 0, y: base - 4 }, name));
    drawn.append(shape("line", { x1: left, x2: width - right, y1: base, y2: base, class: "grid" }));
    const isMeasured = values.some((row) => row[layer] !== null); // the logits have no ends
    values.forEach((row, step) => {
      if (!isMeasured) return;
      const x = left + step * wide;
      if (row[layer] === null) {
        if (step % 3 === 0) drawn.append(shape("text", { x, y: base - 3, class: "lost" }, "✗"));
      } else if (row[layer] > 0) {
        const at = ((log ? Math.log10(row[layer]) : row[layer]) - axis.low) / (axis.high - axis.low);
        const height = 1.5 + Math.max(0, Math.min(1, at)) * (high - 7);
        drawn.append(shape("rect", { x: x + 0.3, y: base - height, width: wide - 0.6, height, class: "area" }));
      }
    });
    drawn.append(shape("text", { x: width, y: base - 4, "text-anchor": "end" }, values[steps - 1][layer] === null ? "–" : number(values[steps - 1][layer], 2)));
  });
  for (let step = 0; step < steps; step += 8) {
    drawn.append(shape("text", { x: left + (step + 0.5) * wide, y: names.length * high + foot - 5, "text-anchor": "middle" }, String(step)));
  }
  const range = log ? `${number(10 ** axis.low, 2)} to ${number(10 ** axis.high, 2)}, logarithmic` : "0 to 1";
  return element("section", {}, element("h2", { textContent: title }), element("p", { className: "dim", textContent: range }), drawn);
}

function drawTiles() {
  const at = Number(byId("at").value);
  byId("at-says").textContent = patient.kept[at];
  const codes = Uint8Array.from(atob(patient.counts), (character) => character.charCodeAt(0));
  const layers = patient.layers.length;
  const buckets = codes.length / patient.kept.length / layers;
  byId("tiles").replaceChildren(...patient.layers.map((title, layer) => {
    const from = (at * layers + layer) * buckets;
    const counts = Array.from(codes.subarray(from, from + buckets), (code) => (code / 255) ** 2);
    return tile({ title, edges: patient.edges[at][layer], counts, says: [] });
  }));
}

function show() {
  patient = WARD.patients[got.length];
  byId("who").textContent = `Patient ${got.length + 1} of ${WARD.patients.length}`;
  byId("layer").replaceChildren(...patient.layers.map((name) => element("option", { value: name, textContent: name })));
  byId("disease").value = "";
  byId("step").value = 0;
  byId("step").max = patient.loss.length - 1;
  byId("at").max = patient.kept.length - 1;
  byId("at").value = 0;
  byId("result").replaceChildren();
  byId("check").disabled = true;
  byId("next").hidden = true;
  drawTiles();
  const loss = { title: "Loss in nats; a guess is 3.3", log: true, values: patient.loss.map((value) => [value]) };
  byId("charts").replaceChildren(...patient.charts.map((chart) => rowChart(chart, patient.layers)), rowChart(loss, ["loss"]));
}

function points(disease, layer, step) {
  if (disease === "healthy" || patient.disease === "healthy") return disease === patient.disease ? WARD.points : 0;
  const named = disease === patient.disease || patient.also.includes(disease);
  return named + (layer === patient.layer) + (Math.abs(step - patient.step) <= WARD.near);
}

function check(event) {
  event.preventDefault();
  if (byId("check").disabled) return;
  const worth = points(byId("disease").value, byId("layer").value, Number(byId("step").value));
  got.push(worth);
  byId("check").disabled = true;
  const reasons = patient.reasons.map((reason) => element("li", { textContent: reason }));
  byId("result").replaceChildren(
    element("p", {}, element("b", { textContent: `${worth} of ${WARD.points} points.` }), ` It was ${patient.truth}.`),
    element("ul", {}, ...reasons));
  const isLast = got.length === WARD.patients.length;
  const sum = got.reduce((before, each) => before + each, 0);
  byId("score").textContent = `${sum} of ${got.length * WARD.points} points, after ${got.length} of ${WARD.patients.length} patients.${isLast ? " That was the last one." : ""}`;
  byId("next").hidden = isLast;
  if (!isLast) byId("next").focus();
}

function settle() {
  const isHealthy = byId("disease").value === "healthy";
  byId("layer").disabled = byId("step").disabled = isHealthy;
  byId("check").disabled = byId("disease").value === "" || !byId("next").hidden;
}

byId("disease").replaceChildren(element("option", { value: "", textContent: "choose" }),
  ...WARD.diseases.map((name) => element("option", { value: name, textContent: name.replaceAll("_", " ") })));
byId("disease").addEventListener("change", settle);
byId("at").addEventListener("input", drawTiles);
byId("form").addEventListener("submit", check);
byId("next").addEventListener("click", () => { show(); settle(); byId("who").focus(); });
setUpTheme(() => {});
show();
