// The one run, or those beside each other, whose layers are shown.

const SIDES = ["a", "b", "c", "d"].filter((side) => byId(`run-${side}`));
const PICKED = {}; // side -> the name of a run; "" for none
const INK = { a: "c0", b: "c1", c: "c2", d: "c3" };

function pick(runs) {
  SIDES.forEach((side, i) => (PICKED[side] = runs[i] || ""));
}

pick(REPORT.selections[0].runs);

function runNamed(name) {
  return REPORT.runs.find((run) => run.name === name && run.layers);
}

// The same things of all sides: what `of` gives for each that shows a run.
function ofAll(of) {
  return SIDES.filter((side) => PICKED[side]).map(of);
}

function sideCharts(kind) {
  return SIDES.map((side) => `chart-${kind}-${side}`);
}

function pickers(changed) {
  const show = () => {
    for (const side of SIDES) {
      byId(`run-${side}`).value = PICKED[side];
      for (const kind of ["histograms", "heatmaps"]) {
        const place = byId(`chart-${kind}-${side}`);
        if (place) place.hidden = !PICKED[side];
      }
    }
  };
  for (const side of SIDES) {
    const select = byId(`run-${side}`);
    if (side !== "a") select.append(element("option", { value: "", textContent: "none" }));
    for (const run of REPORT.runs) {
      if (run.layers) select.append(element("option", { value: run.name, textContent: run.name }));
    }
    select.addEventListener("change", () => {
      PICKED[side] = select.value;
      show();
      changed();
    });
  }
  const selection = byId("selection");
  if (selection) {
    REPORT.selections.forEach((each, i) => selection.append(element("option", { value: i, textContent: each.label })));
    selection.addEventListener("change", () => {
      pick(REPORT.selections[selection.value].runs);
      show();
      changed();
    });
  }
  show();
}
