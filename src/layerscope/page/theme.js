// Light or dark: as the system has it, until the button says otherwise.

const SYSTEM_DARK = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const asked = document.documentElement.dataset.theme;
  return asked ? asked === "dark" : SYSTEM_DARK.matches;
}

function setUpTheme(redraw) {
  byId("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    redraw();
  });
  SYSTEM_DARK.addEventListener("change", redraw);
}
