const wanted = document.getElementById("wanted"), chosen = document.getElementById("status");
const rows = Array.from(document.getElementById("rows").rows, (row) => [row, row.textContent.toLowerCase()]);
function filter() {
  const text = wanted.value.trim().toLowerCase();
  let shown = 0;
  for (const [row, content] of rows) {
    row.hidden = !content.includes(text) || (chosen.value !== "" && row.dataset.status !== chosen.value);
    shown += !row.hidden;
  }
  document.getElementById("shown").textContent = `${shown} of ${rows.length} rows`;
}
wanted.addEventListener("input", filter);
chosen.addEventListener("change", filter);
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("filters").hidden = false;
filter();
