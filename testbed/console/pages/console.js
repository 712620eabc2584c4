// Replaces the panels that have changed, every two seconds while the page is visible.
const PERIOD = 2000; // milliseconds
const live = document.getElementById("live");
const shown = new Map();

function replace(panel, html) {
  if (shown.get(panel.id) === html) return;
  shown.set(panel.id, html);
  const open = [...panel.querySelectorAll("details[open]")].map((details) => details.id);
  const focused = panel.contains(document.activeElement) ? document.activeElement.id : "";
  const scrolled = [...panel.querySelectorAll("pre")].map((pre) => pre.scrollTop);
  panel.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  panel.querySelectorAll("pre").forEach((pre, place) => (pre.scrollTop = scrolled[place] ?? 0));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function update() {
  const answer = await fetch(`/console/panels${location.search}`);
  if (!answer.ok) throw new Error(await answer.text());
  for (const [id, html] of Object.entries(await answer.json())) {
    replace(document.getElementById(id), html);
  }
}

async function poll() {
  try {
    if (!document.hidden) {
      await update();
      live.textContent = "Live";
    }
  } catch (error) {
    live.textContent = `Not up to date: ${error.message}`;
  }
  setTimeout(poll, PERIOD);
}

document.addEventListener("click", async (event) => {
  const source = event.target.dataset?.copy;
  if (!source) return;
  await navigator.clipboard.writeText(document.getElementById(source).textContent);
  event.target.textContent = "Copied";
});
poll();
