/** What the charts of all pages have in common: the page's colours, and axes that read them. */

/** A colour of page.css as the browser has it now. */
export function colour(name) {
  // light-dark() is resolved by the browser where it is used, so it is asked for at an element.
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** The same colour as a ground for a line or a bar. */
export function faint(name, share = 0.15) {
  return colour(name).replace(/^rgb\((.*)\)$/, `rgb($1, ${share})`);
}

const SECONDS = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MINUTES = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/** Time below, and numbers at the left. */
export function axes({ times = 'seconds', size = 56, values = undefined } = {}) {
  const format = times === 'seconds' ? SECONDS : MINUTES;
  const lines = () => ({
    stroke: colour('quiet'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line') },
  });
  return [
    {
      values: (_chart, splits) => splits.map((at) => format.format(at * 1000)),
      space: times === 'seconds' ? 80 : 60,
      ...lines(),
    },
    { ...lines(), size, ...(values === undefined ? {} : { values: (_chart, splits) => splits.map(values) }) },
  ];
}

const MINUTE = 60;

/** A range of time for uPlot: at least a minute, up to the last point, or to now where there is none. Of one point alone uPlot would make a day. */
export function recentMinute({ data: [times = []] = [] }) {
  const end = times.at(-1) ?? Date.now() / 1000;
  return [Math.min(times[0] ?? end, end - MINUTE), end];
}

export function widthOf(box) {
  return Math.max(240, box.clientWidth);
}
