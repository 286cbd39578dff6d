/** Draws a drain, for docs/benchmarks.svg. */
import type { ContenderName } from './contender';
import type { DrainResult, Summary } from './report';

const NAMES: Readonly<Record<ContenderName, string>> = {
  floor: 'the floor: the same rows from prepared bytes',
  ours: 'debezium-clickhouse, every promise on',
  engine: 'ClickHouse Kafka engine, two consumers',
  plain: 'plain consumer: kafkajs, JSON.parse, JSONEachRow',
};
const COLOURS: Readonly<Record<ContenderName, string>> = {
  floor: '#9aa5b1',
  ours: '#1769aa',
  engine: '#c77700',
  plain: '#7b5ea7',
};
const ORDER = Object.keys(NAMES) as ContenderName[];

const WIDTH = 760;
const LEFT = 20;
const ROW = 54;
const TOP = 64;

/** Bars for the medians, a thin line from the least to the most. */
export function drainPicture({
  summaries,
  topic,
  machine,
}: Pick<DrainResult, 'summaries' | 'topic' | 'machine'>): string {
  const shown = ORDER.flatMap((name) => summaries.filter(({ contender }) => contender === name));
  const most = Math.max(...shown.map(({ changesPerSecond }) => changesPerSecond.most));
  const scale = (rate: number): number => (rate / most) * (WIDTH - 2 * LEFT - 110);
  const height = TOP + shown.length * ROW + 40;
  const text = ([x, y]: readonly [number, number], size: number, words: string, more = ''): string =>
    `<text x="${x}" y="${y}" font-size="${size}"${more}>${escaped(words)}</text>`;
  const bar = (one: Summary, n: number): string => {
    const { median, least, most: best } = one.changesPerSecond;
    const y = TOP + n * ROW;
    const width = scale(median).toFixed(1);
    const rate = `${Math.round(median).toLocaleString('en')}/s`;
    return [
      text([LEFT, y + 12], 13, NAMES[one.contender]),
      `<rect x="${LEFT}" y="${y + 18}" width="${width}" height="18" fill="${COLOURS[one.contender]}"/>`,
      `<line x1="${(LEFT + scale(least)).toFixed(1)}" x2="${(LEFT + scale(best)).toFixed(1)}" y1="${y + 27}" y2="${y + 27}" stroke="#222" stroke-width="2"/>`,
      text([LEFT + Math.max(scale(median), scale(best)) + 8, y + 32], 13, rate, ' font-weight="bold"'),
    ].join('\n');
  };
  const title = `${topic.changes.toLocaleString('en')} changes of ${topic.averageBytes} bytes, from the first offset to the last row visible`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" fill="#222">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
${text([LEFT, 26], 15, title, ' font-weight="bold"')}
${text([LEFT, 46], 12, 'changes a second, median; the line goes from the slowest run to the fastest')}
${shown.map(bar).join('\n')}
${text([LEFT, height - 14], 11, machine, ' fill="#666"')}
</svg>
`;
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
