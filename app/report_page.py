"""The frame of a report: style, script and words around what was found. Nothing in it is fetched."""

from string import Template

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="quiet">$about</p>
</header>
<main>
<section aria-label="Findings">
<h2>Findings</h2>
$findings
</section>
<section aria-label="Panels">
<h2>Panels</h2>
<p class="quiet" id="shown" aria-live="polite">Point at a picture for numbers. Press a finding to mark it here.</p>
<div class="panels">$panels</div>
</section>
</main>
<section class="rest">
$rest
</section>
<script>$library</script>
<script>$script</script>
</body>
</html>
""")

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1rem; background: #fff; color: #1c1f26;
  font: 15px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1rem 0 0.4rem; } h3 { font-size: 1rem; margin: 0; }
.quiet { color: #555b66; margin: 0.2rem 0; font-size: 0.88rem; }
main { display: grid; grid-template-columns: minmax(18rem, 26rem) 1fr; gap: 1.2rem; align-items: start; }
main > section { min-width: 0; }
.finding { border: 1px solid #c9ced8; border-left-width: 0.35rem; border-radius: 0.4rem; padding: 0.6rem 0.8rem;
  margin-bottom: 0.7rem; }
.finding.serious { border-left-color: #b3261e; } .finding.warning { border-left-color: #b26a00; }
.finding.info { border-left-color: #3457d5; } .finding.held { background: #eef2ff; }
.finding p { margin: 0.3rem 0; }
.finding button { font: inherit; padding: 0.25rem 0.7rem; border: 1px solid #3457d5; border-radius: 0.4rem;
  background: #fff; color: #2643ab; cursor: pointer; }
.finding.held button { background: #3457d5; color: #fff; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 0.8rem; }
figure { margin: 0; border: 1px solid #dfe3ea; border-radius: 0.4rem; padding: 0.6rem; min-width: 0; }
figure .chart { width: 100%; min-height: 20rem; overflow-x: auto; }
figcaption { font-size: 0.85rem; color: #555b66; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.85rem; }
td, th { border: 1px solid #dfe3ea; padding: 0.15rem 0.5rem; text-align: left; vertical-align: top; }
pre { overflow-x: auto; background: #f5f6f9; padding: 0.7rem; border-radius: 0.4rem; font-size: 0.82rem; }
details { margin: 0.5rem 0; } summary { cursor: pointer; font-weight: 600; }
.finding summary { font-weight: 400; }
@media (max-width: 900px) { main { grid-template-columns: minmax(0, 1fr); } body { padding: 0.6rem; } }
"""

SCRIPT = """
"use strict";
const REPORT = JSON.parse(document.getElementById("report").textContent);
const OPTIONS = { logLevel: 1, actions: { export: true, source: false, compiled: false, editor: false } };
const drawn = {};
let held = "";
const ready = Promise.all(Object.entries(REPORT.panels).map(([name, panel]) =>
  vegaEmbed("#panel-" + name, panel.spec, OPTIONS)
    .then((made) => { drawn[name] = made.view; })));
async function mark(key) {
  held = held === key ? "" : key;
  document.querySelectorAll(".finding").forEach((part) => {
    const on = part.dataset.key === held;
    part.classList.toggle("held", on);
    const button = part.querySelector("button");
    if (button) { button.setAttribute("aria-pressed", String(on)); }
  });
  await ready;
  for (const [name, panel] of Object.entries(REPORT.panels)) {
    const rows = panel.held && panel.held[held] ? panel.held[held] : panel.spec.data && panel.spec.data.values;
    if (panel.held) { drawn[name].data("rows", rows); }
    if (panel.marks) { drawn[name].signal("held", (held && panel.marks[held]) || []); }
    await drawn[name].runAsync();
  }
  document.getElementById("shown").textContent = held ? REPORT.said[held] : REPORT.said[""];
}
document.querySelectorAll(".finding button").forEach((button) =>
  button.addEventListener("click", () => mark(button.closest(".finding").dataset.key)));
ready.then(() => { document.body.dataset.ready = "yes"; });
"""
