// What the reader can do, and the first drawing.

function setUpSlider() {
  const slider = byId("step");
  if (!slider) return;
  const show = () => {
    byId("step-shown").textContent = `step ${shownStep()}`;
    redraw(...sideCharts("histograms"));
  };
  slider.addEventListener("input", show);
  let playing = null;
  byId("play").addEventListener("click", () => {
    if (playing) return stop();
    if (slider.value === slider.max) slider.value = 0;
    playing = setInterval(() => {
      if (slider.value === slider.max) return stop();
      slider.value = Number(slider.value) + 1;
      show();
    }, 700);
    byId("play").textContent = "❚❚";
    show();
  });
  function stop() {
    clearInterval(playing);
    playing = null;
    byId("play").textContent = "▶";
  }
}

function rangeOfSlider() {
  const slider = byId("step");
  if (!slider) return;
  slider.max = Math.max(histogramSteps().length - 1, 0);
  byId("step-shown").textContent = `step ${shownStep()}`;
  const what = chosen("histogram-what", "activation");
  const run = runNamed(PICKED.a);
  const [shown, of] = [Object.keys(histogramsOf("a")).length, run ? run.layers.histograms.of : 0];
  byId("histogram-note").textContent =
    (what === "activation"
      ? "Healthy: one hump around zero, as wide in every layer. Sick: towers at the ends, where no gradient passes, or a needle at zero; of a ReLU about half of the outputs are zero in health."
      : "log10 of the absolute value. Healthy: the hump stays in place from layer to layer. It moves left, toward the input, where gradients vanish. The first bucket holds exact zeros.") +
    (shown < of ? ` Shown are ${shown} of ${of} hidden layers.` : "");
}

function setUpSorting() {
  for (const table of document.querySelectorAll(".ranked")) {
    const heads = [...table.querySelectorAll("thead th")];
    heads.forEach((head, column) => {
      const button = head.querySelector(".sort");
      if (!button) return;
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const order = (row) => Number(row.children[column].dataset.order.replace("inf", "Infinity"));
        const rows = [...table.tBodies[0].rows].sort((a, b) => (order(a) === order(b) ? 0 : (order(a) < order(b)) === up ? -1 : 1));
        table.tBodies[0].append(...rows);
      });
    });
  }
}

function setUpCopy() {
  const button = byId("copy");
  if (!button) return;
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(byId("command")); // selected, if the browser lets nobody copy
    await navigator.clipboard?.writeText(byId("command").textContent).catch(() => {});
    button.textContent = "copied";
  });
}

function listen(id, ...charts) {
  byId(id)?.addEventListener("change", () => redraw(...charts));
}

legends();
setUpTheme(() => redraw());
pickers(() => {
  rangeOfSlider();
  redraw();
});
setUpSlider();
setUpSorting();
setUpCopy();
rangeOfSlider();
chart("chart-losses", lossChart);
chart("chart-gradients", gradientChart);
for (const side of SIDES) {
  chart(`chart-histograms-${side}`, histogramChart(side));
  chart(`chart-heatmaps-${side}`, heatmapChart(side));
}
chart("chart-phases", phaseChart);
listen("loss-tag", "chart-losses");
listen("loss-steps", "chart-losses");
listen("gradient-when", "chart-gradients");
listen("heatmap-steps", ...sideCharts("heatmaps"));
for (const id of ["histogram-what", "histogram-scale"]) {
  byId(id)?.addEventListener("change", () => {
    rangeOfSlider();
    redraw(...sideCharts("histograms"));
  });
}
addEventListener("beforeprint", drawAll);
