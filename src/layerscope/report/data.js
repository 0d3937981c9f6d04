// The numbers of the page, which Python wrote into it: see packed.py and chart_data.py.

const REPORT = JSON.parse(byId("report-data").textContent);
const SINGLE = REPORT.runs.length === 1;

// Packed numbers as a flat array; null for what was not finite.
function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (character) => character.charCodeAt(0));
  const codes = packed.bytes === 2 ? new Uint16Array(bytes.buffer) : bytes;
  const nothing = packed.bytes === 2 ? 65535 : 255;
  return Array.from(codes, (code) => (code === nothing ? null : packed.low + code * packed.step));
}

// The same as rows, for a packed matrix.
function unpackRows(packed) {
  const [count, size] = packed.shape;
  const flat = unpack(packed);
  return Array.from({ length: count }, (_, row) => flat.slice(row * size, (row + 1) * size));
}

function power10(logs) {
  return logs.map((log) => (log === null ? null : 10 ** log));
}

// Plotly reads a little HTML in every string: a name from a config is shown as it is, not read.
function plain(name, most = 70) {
  const text = String(name);
  const short = text.length > most ? `${text.slice(0, most - 12)}…${text.slice(-11)}` : text;
  return short.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
}

function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : String(Number(value.toPrecision(digits)));
}

// Which of some radio buttons is chosen; `otherwise` where the page has none.
function chosen(id, otherwise) {
  const input = document.querySelector(`#${id} input:checked`);
  return input ? input.value : otherwise;
}
