/** What the generator has written, as a live line and as a summary. */
import { TABLES, type Op, type Table } from './tables';
import type { Written } from './target';

export interface Report {
  add(written: Written): void;
  total(): number;
  /** The live line. */
  line(nowMs: number): string;
  /** What came of all of it. */
  summary(nowMs: number, leftOut: number): string;
}

const OPS: readonly Op[] = ['insert', 'update', 'delete'];
/** The rate of the line is that of the last so many milliseconds. */
const OVER_MS = 5_000;

export function createReport(rate: number, startMs: number): Report {
  const rows = new Map<Table, Record<Op, number>>();
  let total = 0;
  let samples = [{ at: startMs, total: 0 }];
  const of = (table: Table): number => OPS.reduce((sum, op) => sum + (rows.get(table)?.[op] ?? 0), 0);
  return {
    add(written) {
      for (const { table, op, rows: changed } of written) {
        const counts = rows.get(table) ?? { insert: 0, update: 0, delete: 0 };
        counts[op] += changed;
        total += changed;
        rows.set(table, counts);
      }
    },
    total: () => total,
    line(nowMs) {
      samples = [
        ...samples.filter(({ at }, index) => nowMs - at <= OVER_MS || index === samples.length - 1),
        { at: nowMs, total },
      ];
      const [oldest] = samples;
      const now = perSecond(total - (oldest?.total ?? 0), nowMs - (oldest?.at ?? nowMs));
      const tables = TABLES.filter((table) => rows.has(table)).map((table) => `${table} ${words(of(table))}`);
      return `${now} changes/s of ${rate}  ${tables.join('  ')}`;
    },
    summary(nowMs, leftOut) {
      const average = perSecond(total, nowMs - startMs);
      const lines = TABLES.filter((table) => rows.has(table)).map((table) => {
        const counts = rows.get(table);
        const kinds = OPS.map((op) => `${words(counts?.[op] ?? 0)} ${op}s`).join(', ');
        return `  ${table.padEnd(16)}${words(of(table)).padStart(9)}   ${kinds}`;
      });
      const late =
        leftOut > 0
          ? [`  ${words(leftOut)} more were due and left out: PostgreSQL did not keep up with the rate.`]
          : [];
      return [
        `${words(total)} changes in ${((nowMs - startMs) / 1_000).toFixed(1)} s, ${average} a second of ${rate} asked for`,
        ...lines,
        ...late,
      ].join('\n');
    },
  };
}

function perSecond(changes: number, ms: number): string {
  const rate = ms <= 0 ? 0 : (changes / ms) * 1_000;
  return rate < 100 ? rate.toFixed(1) : words(Math.round(rate));
}

function words(value: number): string {
  return value.toLocaleString('en-US');
}
