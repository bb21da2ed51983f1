// A curve that is drawn by pointer or by keys, and what was measured on top of it.
const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 230, LEFT = 46, RIGHT = 14, TOP = 14, BOTTOM = 40;
const SETTLE_MS = 400; // of quiet before keys are sent: each sending runs the page
const ECHO_MS = 3000; // so long an older answer may still come from the server

const made = (tag, inside, attributes, text) => {
  const element = inside.appendChild(document.createElementNS(SPACE, tag));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const short = value => String(Number(value.toPrecision(3)));

export default function ({ data, parentElement, setStateValue }) {
  const box = parentElement.querySelector(".drawn-curve");
  const own = (box.own ??= { values: null, busy: false, sent: null, sentAt: 0, timer: 0 });
  const stale = own.sent !== null && own.sent !== JSON.stringify(data.drawn) && Date.now() - own.sentAt < ECHO_MS;
  if (!data.open || own.values === null || (!own.busy && !stale)) {
    own.values = data.drawn && [...data.drawn];
    own.sent = null;
  }
  const { steps, low, high } = data;
  let width = 0, handles = [], line = null;

  const x = step => LEFT + ((step - steps[0]) / (steps.at(-1) - steps[0])) * (width - LEFT - RIGHT);
  const y = value => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const path = values => values.map((value, k) => `${k ? "L" : "M"}${x(steps[k])} ${y(value)}`).join("");
  const kept = value => Number((Math.round(Math.min(high, Math.max(low, value)) / data.grain) * data.grain).toFixed(6));

  const send = () => {
    own.busy = false;
    own.sent = JSON.stringify(own.values);
    own.sentAt = Date.now();
    setStateValue("values", own.values);
  };
  const put = (k, value) => {
    own.values[k] = kept(value);
    place(k);
    line.setAttribute("d", path(own.values));
  };
  const place = k => {
    const value = own.values[k];
    handles[k].setAttribute("cx", x(steps[k]));
    handles[k].setAttribute("cy", y(value));
    handles[k].setAttribute("aria-valuenow", value);
    handles[k].setAttribute("aria-valuetext", `${short(value)} at step ${steps[k]}`);
  };

  const axes = svg => {
    const grid = made("g", svg, { class: "grid" });
    for (let k = 0; k <= 4; k++) {
      const value = low + ((high - low) * k) / 4;
      made("line", grid, { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) });
      made("text", grid, { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(value));
    }
    let right = -Infinity; // words that would touch those before them are left out
    for (const step of steps) {
      made("line", grid, { x1: x(step), x2: x(step), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 });
      if (x(step) - right < 26) continue;
      made("text", grid, { x: x(step), y: HEIGHT - BOTTOM + 17, "text-anchor": "middle" }, step);
      right = x(step);
    }
    made("text", grid, { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, "training step");
  };

  const found = svg => {
    const { mean, low: lowest, high: highest } = data.measured;
    const back = steps.map((step, k) => `L${x(step)} ${y(lowest[k])}`).reverse().join("");
    made("path", svg, { class: "band", d: `${path(highest)}${back}Z` });
    made("path", svg, { class: "measured", d: path(mean) });
    mean.forEach((value, k) => made("circle", svg, { class: "measured", cx: x(steps[k]), cy: y(value), r: 3.5 }));
    if (data.here) made("path", svg, { class: "here", d: path(data.here) });
  };

  const touched = svg => {
    let last = null; // index of the step that the pointer was nearest to, and its height
    const at = event => {
      const frame = svg.getBoundingClientRect();
      const across = event.clientX - frame.left, down = event.clientY - frame.top;
      const near = steps.reduce((best, step, k) => (Math.abs(x(step) - across) < Math.abs(x(steps[best]) - across) ? k : best), 0);
      return [near, high - ((down - TOP) / (HEIGHT - TOP - BOTTOM)) * (high - low)];
    };
    const follow = event => {
      const [k, value] = at(event);
      const [from, before] = last ?? [k, value];
      const count = Math.abs(k - from); // steps that a fast stroke has passed over lie on its way
      for (let n = 1; n < count; n++) put(from + Math.sign(k - from) * n, before + ((value - before) * n) / count);
      put(k, value);
      last = [k, value];
    };
    svg.onpointerdown = event => {
      if (event.button) return;
      own.busy = true;
      svg.setPointerCapture(event.pointerId);
      follow(event);
      handles[last[0]].focus({ preventScroll: true });
      event.preventDefault();
    };
    svg.onpointermove = event => last !== null && follow(event);
    svg.onpointerup = svg.onpointercancel = () => {
      if (last === null) return;
      last = null;
      send();
    };
  };

  const pressed = (k, event) => {
    const span = high - low;
    const by = { ArrowUp: 0.01, ArrowDown: -0.01, PageUp: 0.1, PageDown: -0.1 }[event.key];
    const to = { Home: low, End: high }[event.key];
    const aside = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined && to === undefined && aside === undefined) return;
    event.preventDefault();
    if (aside !== undefined) return handles[k + aside]?.focus();
    own.busy = true;
    put(k, to ?? own.values[k] + Math.sign(by) * Math.max(Math.abs(by) * span, data.grain));
    clearTimeout(own.timer);
    own.timer = setTimeout(send, SETTLE_MS);
  };

  const draw = () => {
    const room = box.clientWidth;
    if (room === width || room < 80) return;
    width = room;
    const focused = parentElement.activeElement?.getAttribute?.("data-k") ?? null;
    box.replaceChildren();
    if (data.ink) box.style.setProperty("--ink", data.ink);
    const role = data.open ? { role: "group" } : { role: "img" };
    const svg = made("svg", box, { width, height: HEIGHT, "aria-label": data.says, class: data.open ? "open" : "", ...role });
    axes(svg);
    if (data.measured) found(svg);
    if (!own.values) return;
    line = made("path", svg, { class: "drawn", d: path(own.values) });
    handles = steps.map((step, k) => {
      if (!data.open) return made("circle", svg, { class: "drawn", cx: x(step), cy: y(own.values[k]), r: 4 });
      return made("circle", svg, {
        class: "handle", r: 8, role: "slider", tabindex: 0, "data-k": k, "aria-label": `${data.name} at step ${step}`,
        "aria-valuemin": low, "aria-valuemax": high, "aria-orientation": "vertical",
      });
    });
    if (!data.open) return;
    handles.forEach((handle, k) => {
      place(k);
      handle.onkeydown = event => pressed(k, event);
    });
    touched(svg);
    if (focused !== null) handles[focused].focus({ preventScroll: true });
  };

  if (!own.busy || !data.open) {
    own.redraw = draw;
    draw();
  }
  own.watch?.disconnect();
  own.watch = new ResizeObserver(() => own.redraw());
  own.watch.observe(box);
}
