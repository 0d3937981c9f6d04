// Light or dark: as the system has it, until the button says otherwise.

const SYSTEM_DARK = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const asked = document.documentElement.dataset.theme;
  return asked ? asked === "dark" : SYSTEM_DARK.matches;
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

function setUpTheme(redraw) {
  byId("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    redraw();
  });
  SYSTEM_DARK.addEventListener("change", redraw);
}
