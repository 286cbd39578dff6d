/** The charts: changes each second as this page saw them, and latency percentiles as the service keeps them. */
/* global uPlot */
import { axes, colour, faint, recentMinute, widthOf } from './chart-kit.js';

const POINTS = 300;
const HEIGHT = 160;

export function openCharts() {
  const rate = { times: [], values: [] };
  let points = [];
  let newest = 0;
  let rateChart = null;
  let latencyChart = null;
  const boxes = { rate: document.getElementById('rate-chart'), latency: document.getElementById('latency-chart') };

  const build = () => {
    rateChart?.destroy();
    latencyChart?.destroy();
    const base = (box) => ({
      width: widthOf(box),
      height: HEIGHT,
      axes: axes(),
      cursor: { y: false },
      legend: { live: false },
      scales: {
        x: { range: recentMinute },
        y: { range: (_chart, _low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] },
      },
    });
    rateChart = new uPlot(
      {
        ...base(boxes.rate),
        legend: { show: false },
        series: [{}, { label: 'changes/s', stroke: colour('accent'), width: 2, fill: faint('accent') }],
      },
      rateData(),
      boxes.rate,
    );
    latencyChart = new uPlot(
      {
        ...base(boxes.latency),
        height: HEIGHT,
        series: [
          {},
          { label: '50 %', stroke: colour('good'), width: 2 },
          { label: '95 %', stroke: colour('accent'), width: 2 },
          { label: '99 %', stroke: colour('warn'), width: 2 },
        ],
      },
      latencyData(),
      boxes.latency,
    );
  };

  const rateData = () => [rate.times, rate.values];
  const latencyData = () => [
    points.map(({ at }) => at / 1000),
    points.map(({ p50 }) => p50),
    points.map(({ p95 }) => p95),
    points.map(({ p99 }) => p99),
  ];

  const reload = async () => {
    try {
      const response = await fetch('/latency.json');
      if (!response.ok) return;
      ({ points } = await response.json());
      latencyChart?.setData(latencyData());
    } catch {
      // The page says already that the service does not answer.
    }
  };

  let pending = null;
  addEventListener('resize', () => {
    clearTimeout(pending);
    pending = setTimeout(() => {
      rateChart?.setSize({ width: widthOf(boxes.rate), height: HEIGHT });
      latencyChart?.setSize({ width: widthOf(boxes.latency), height: HEIGHT });
    }, 150);
  });

  return {
    add(status, isNewRun) {
      if (rateChart === null) build();
      if (isNewRun) newest = 0;
      const at = status.at / 1000;
      if (at <= (rate.times.at(-1) ?? 0)) return;
      rate.times.push(at);
      rate.values.push(status.rates.changes);
      if (rate.times.length > POINTS) {
        rate.times.shift();
        rate.values.shift();
      }
      rateChart.setData(rateData());
      // A stretch of percentiles is done every five seconds.
      if (status.at - newest >= 5000) {
        newest = status.at;
        void reload();
      }
    },
    reload,
    recolour() {
      if (rateChart !== null) build();
    },
  };
}
