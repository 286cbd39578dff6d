/** The charts of the dashboard: revenue by hour, events by minute, and how long a change takes to the screen. */
/* global uPlot */
import { axes, colour, faint, recentMinute, widthOf } from './chart-kit.js';
import { whole } from './pipeline.js';

const HEIGHT = 170;
const HOUR = 3600;
const KINDS = [
  ['signup', 'good'],
  ['login', 'accent'],
  ['purchase', 'warn'],
  ['logout', 'quiet'],
];
const POINTS = 240;

const short = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 });

export function openCharts() {
  const boxes = {
    hour: document.getElementById('hour-chart'),
    minute: document.getElementById('minute-chart'),
    fresh: document.getElementById('fresh-chart'),
  };
  const made = new Map();
  const data = {
    hour: [[], []],
    minute: [[], [], [], [], []],
    // The minute before the page was opened is empty, so that one point has a place.
    fresh: [[Date.now() / 1000 - 60], [null]],
  };

  const base = (box, kind) => ({
    width: widthOf(box),
    height: HEIGHT,
    cursor: { y: false },
    legend: { show: false },
    axes: axes(kind),
    scales: { y: { range: (_chart, _low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] } },
  });

  const options = {
    hour: (box) => ({
      ...base(box, { times: 'minutes', values: (value) => short.format(value) }),
      scales: {
        ...base(box).scales,
        x: { range: (_chart, low, high) => [low - HOUR / 2, high + HOUR / 2] },
      },
      series: [
        {},
        {
          label: 'revenue',
          stroke: colour('accent'),
          fill: faint('accent', 0.55),
          width: 1,
          paths: uPlot.paths.bars({ size: [0.8, 60] }),
          points: { show: false },
        },
      ],
    }),
    minute: (box) => ({
      ...base(box, { times: 'minutes' }),
      legend: { live: false },
      series: [
        {},
        ...KINDS.map(([label, name]) => ({ label, stroke: colour(name), width: 2, points: { show: false } })),
      ],
    }),
    fresh: (box) => ({
      ...base(box, { times: 'seconds', values: (value) => `${value} s` }),
      scales: {
        ...base(box).scales,
        x: { range: recentMinute },
      },
      series: [{}, { label: 'seconds', stroke: colour('good'), fill: faint('good'), width: 2 }],
    }),
  };

  const draw = (name) => {
    const box = boxes[name];
    // A chart that is not shown has no width yet.
    if (box.clientWidth === 0 || data[name][0].length === 0) return;
    const chart = made.get(name);
    if (chart !== undefined) chart.setData(data[name]);
    else made.set(name, new uPlot(options[name](box), data[name], box));
  };

  let pending = null;
  addEventListener('resize', () => {
    clearTimeout(pending);
    pending = setTimeout(() => {
      for (const [name, chart] of made) chart.setSize({ width: widthOf(boxes[name]), height: HEIGHT });
    }, 150);
  });

  return {
    hours(byHour) {
      data.hour = [byHour.map(({ at }) => at / 1000), byHour.map(({ revenue }) => Number(revenue))];
      draw('hour');
      boxes.hour.setAttribute('aria-label', `Revenue by hour: ${byHour.length} hours with sales`);
    },
    /** Minutes without an event are drawn as none. */
    minutes(perMinute, at) {
      const last = Math.floor(at / 60_000) * 60;
      const times = Array.from({ length: 31 }, (_, index) => last - (30 - index) * 60);
      const found = new Map(perMinute.map((one) => [`${one.at / 1000} ${one.kind}`, one.events]));
      data.minute = [times, ...KINDS.map(([kind]) => times.map((time) => found.get(`${time} ${kind}`) ?? 0))];
      draw('minute');
      const sum = perMinute.reduce((all, { events }) => all + events, 0);
      boxes.minute.setAttribute('aria-label', `Events of user_logins by minute: ${whole(sum)} in the last half hour`);
    },
    fresh(ms) {
      const [times, values] = data.fresh;
      times.push(Date.now() / 1000);
      values.push(Math.round(ms / 10) / 100);
      if (times.length > POINTS) {
        times.shift();
        values.shift();
      }
      draw('fresh');
    },
    recolour() {
      for (const chart of made.values()) chart.destroy();
      made.clear();
      for (const name of Object.keys(boxes)) draw(name);
    },
  };
}
