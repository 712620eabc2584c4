// Replaces the panels that have changed, every two seconds while the page is visible.
const PERIOD = 2000; // milliseconds
const PATIENCE = 10000; // milliseconds for an answer: what is older is not called live
const live = document.getElementById("live");
const shown = new Map();

function replace(panel, html) {
  const choosing = panel.querySelector("select:focus, input:focus");
  if (shown.get(panel.id) === html || choosing) return;
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
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch(`/console/panels${location.search}`, { signal });
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

// Calls: a dialog shows what is called and what it breaks, and then what was answered.
const element = (id) => document.getElementById(id);
const dialog = element("dialog");
let pending = null;
let opener = ""; // the id of what has opened the dialog: an update of its panel replaces it

function ask(call, warning, days) {
  pending = call;
  opener = document.activeElement?.id ?? "";
  element("dialog-h").textContent = call.operation;
  element("dialog-warning").textContent = warning;
  element("dialog-warning").hidden = !warning;
  const masked = (name, value) => (name === "Password" ? "********" : value);
  element("dialog-call").textContent = JSON.stringify(call.parameters, masked, 2);
  element("dialog-days").hidden = !days;
  element("dialog-result").replaceChildren();
  element("dialog-send").disabled = false;
  dialog.showModal();
}

function report(sentence, good, details) {
  const verdict = document.createElement("p");
  verdict.className = good ? "good" : "alert";
  verdict.textContent = sentence;
  const result = element("dialog-result");
  result.replaceChildren(verdict);
  if (!details) return;
  const answer = document.createElement("pre");
  answer.textContent = details;
  result.append(answer);
}

async function send() {
  const call = pending;
  element("dialog-send").disabled = true;
  if (!element("dialog-days").hidden) {
    call.parameters.PendingWindowInDays = Number(element("days").value);
  }
  try {
    const answer = await fetch("/console/call", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-Console-Token": document.querySelector("meta[name=console-token]").content,
      },
      body: JSON.stringify(call),
    });
    if (!answer.ok) throw new Error(await answer.text());
    const outcome = await answer.json();
    const words = [outcome.status, outcome.code, outcome.message].filter(Boolean).join(" ");
    const details = outcome.code ? "" : JSON.stringify(outcome.answer, null, 2);
    if (call === pending) report(`${words} (request ${outcome.request_id})`, !outcome.code, details);
    update().catch(() => {}); // the call is made, whatever the page shows: the next poll says so
  } catch (error) {
    if (call !== pending) return; // the dialog is another call's by now
    report(`Not called: ${error.message}`, false);
    element("dialog-send").disabled = false;
  }
}

function creation(form) {
  const values = Object.fromEntries(new FormData(form));
  const [engine, version] = values.engine.split(" ");
  const key = values.key.trim();
  return {
    operation: "CreateBroker",
    region: form.dataset.region,
    parameters: {
      BrokerName: values.name,
      EngineType: engine,
      EngineVersion: version,
      DeploymentMode: values.mode,
      HostInstanceType: form.elements.engine.selectedOptions[0].dataset.instanceType,
      PubliclyAccessible: false,
      Users: [{ Username: values.username, Password: values.password }],
      EncryptionOptions: key ? { UseAwsOwnedKey: false, KmsKeyId: key } : { UseAwsOwnedKey: true },
    },
  };
}

document.addEventListener("click", async (event) => {
  const { copy, operation, region, parameters, warning, days } = event.target.dataset ?? {};
  if (copy) {
    await navigator.clipboard.writeText(element(copy).textContent);
    event.target.textContent = "Copied";
  }
  if (operation) {
    ask({ operation, region, parameters: JSON.parse(parameters) }, warning, days !== undefined);
  }
});
element("create-broker")?.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(creation(event.target), "", false);
});
element("dialog-send").addEventListener("click", send);
element("dialog-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  if (document.activeElement !== document.body) return;
  (element(opener) ?? element("main")).focus({ preventScroll: true });
});
poll();
