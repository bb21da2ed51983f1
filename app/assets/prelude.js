// Plays the stored recording until the lab's own first panel is drawn, then steps aside.
(() => {
  const box = document.getElementById("prelude");
  const data = JSON.parse(document.getElementById("prelude-data").textContent);
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const element = (tag, inside, text) => {
    const made = inside.appendChild(document.createElement(tag));
    if (text) made.textContent = text;
    return made;
  };
  const title = element("h3", box, "Loss Lab");
  element("p", box, "Recording of a real run, training steps as they went; the lab is loading.");
  const row = element("div", box);
  row.className = "lanes";
  const lanes = data.lanes.map(lane => {
    const figure = element("figure", row);
    const caption = element("figcaption", figure);
    element("b", caption, lane.name).style.borderColor = lane.colour;
    const numbers = element("span", caption);
    const pictures = element("div", figure);
    pictures.className = "pictures";
    return {...lane, numbers, scores: element("canvas", pictures), map: element("canvas", pictures),
            histograms: bytes(lane.histograms), points: bytes(lane.points)};
  });

  const pen = canvas => {
    const sharp = window.devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
    canvas.width = wide * sharp;
    canvas.height = high * sharp;
    const drawn = canvas.getContext("2d");
    drawn.scale(sharp, sharp);
    drawn.fillStyle = drawn.strokeStyle = getComputedStyle(box).color;
    drawn.font = "12px sans-serif";
    return [drawn, wide, high];
  };
  const scores = (lane, frame) => {
    const [drawn, wide, high] = pen(lane.scores), floor = high - 34, step = wide / lane.bins;
    [["positive", 0], ["negative", 1]].forEach(([sign, side]) => {
      const from = (frame * 2 + side) * lane.bins;
      drawn.beginPath();
      drawn.moveTo(0, floor);
      for (let bin = 0; bin < lane.bins; bin += 1) {
        const top = floor * (1 - 0.95 * lane.histograms[from + bin] / 255);
        drawn.lineTo(bin * step, top);
        drawn.lineTo((bin + 1) * step, top);
      }
      drawn.lineTo(wide, floor);
      drawn.fillStyle = drawn.strokeStyle = data.ink[sign];
      drawn.setLineDash(side ? data.ink.dash : []);
      drawn.globalAlpha = side ? 1 : 0.55;
      if (side) drawn.stroke(); else drawn.fill();
      drawn.globalAlpha = 1;
    });
    drawn.fillStyle = getComputedStyle(box).color;
    drawn.fillText("−1", 0, high - 20);
    drawn.fillText("1", wide - 8, high - 20);
    drawn.fillText("cosine: positives filled, negatives dashed", 0, high - 4);
  };
  const map = (lane, frame) => {
    const [drawn, wide, high] = pen(lane.map), side = Math.min(wide, high - 20), from = frame * lane.classes.length * 2;
    lane.classes.forEach((label, point) => {
      const [x, y] = [lane.points[from + 2 * point] / 255, lane.points[from + 2 * point + 1] / 255];
      drawn.fillStyle = data.ink.classes[label % data.ink.classes.length];
      drawn.beginPath();
      drawn.arc((wide - side) / 2 + 4 + x * (side - 8), 4 + (1 - y) * (side - 8), 3, 0, 7);
      drawn.fill();
    });
    drawn.fillStyle = getComputedStyle(box).color;
    drawn.fillText("map of the items, colour: class", 0, high - 4);
  };

  const begun = performance.now();
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  let last = -1;
  const play = now => {
    const frames = lanes[0].steps.length;
    const frame = still ? frames - 1 : Math.min(Math.floor((now - begun) / 1000 * data.rate), frames - 1);
    if (frame >= 0 && frame !== last) {
      last = frame;
      lanes.forEach(lane => {
        lane.numbers.textContent = ` step ${lane.steps[frame]} · AUC ${lane.auc[frame].toFixed(3)}`;
        scores(lane, frame);
        map(lane, frame);
      });
    }
  };
  play(begun);
  const clock = setInterval(() => play(performance.now()), 100);
  const away = () => {
    clearInterval(clock);
    clearInterval(watch);
    box.style.opacity = "0";
    setTimeout(() => box.remove(), 200);
  };
  // The lab's own parts show as soon as they stand; what is left of this covers the grid that has no picture yet.
  const watch = setInterval(() => {
    const grid = document.querySelector(".st-key-grid");
    if (document.querySelector(".st-key-panel-scores canvas") || performance.now() - begun > 30000
        || document.querySelector("[data-testid=stProgress]")) return away();
    if (grid) {
      title.remove();
      box.style.inset = `${Math.max(grid.getBoundingClientRect().top, 0)}px 0 0 0`;
    }
  }, 100);
})();
