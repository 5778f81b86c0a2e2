// Plugins of Chart.js: intervals as bands around lines, shares inside the parts of a stack.
const BAND = 0.16;  // opacity
const LEAST = 34;  // px a part must have to hold its share

export const bands = {
  id: "bands",
  beforeDatasetsDraw(chart) {
    const { ctx, scales } = chart;
    const at = (place, value) => [scales.x.getPixelForValue(place), scales.y.getPixelForValue(value)];
    for (const { low, high, borderColor } of chart.data.datasets) {
      if (!low?.length) continue;
      ctx.save();
      Object.assign(ctx, { fillStyle: borderColor, strokeStyle: borderColor, lineWidth: 6, globalAlpha: BAND });
      for (const run of runs(low, high)) {
        ctx.beginPath();
        for (const place of run) ctx.lineTo(...at(place, high[place]));
        for (const place of run.reverse()) ctx.lineTo(...at(place, low[place]));
        if (run.length > 1) ctx.fill(); else ctx.stroke();  // a value between two gaps has a line for a band
      }
      ctx.restore();
    }
  },
};

// Places one after another that have an interval.
function runs(low, high) {
  const found = [[]];
  low.forEach((value, place) => {
    if (value === null || high[place] === null) found.push([]); else found.at(-1).push(place);
  });
  return found.filter((run) => run.length);
}

export const shares = {
  id: "shares",
  afterDatasetsDraw(chart) {
    const { ctx, data, options } = chart;
    ctx.save();
    Object.assign(ctx, { textAlign: "center", textBaseline: "middle", font: `600 12px ${options.font.family}` });
    data.datasets.forEach(({ shares: found, borderColor }, number) => {
      if (!found) return;
      ctx.fillStyle = borderColor;
      chart.getDatasetMeta(number).data.forEach((bar, place) => {
        const { x, base, y } = bar.getProps(["x", "base", "y"]);
        if (Math.abs(x - base) >= LEAST) ctx.fillText(`${found[place]} %`, (x + base) / 2, y + 1);
      });
    });
    ctx.restore();
  },
};
