// The one run, or the two beside each other, whose layers are shown.

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
