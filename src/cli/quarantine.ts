/** `quarantine list` and `show`: what could not be decoded, why, where, and what became of it. */
import { EXIT } from './failure';
import { count } from './progress';
import { placeOf, sinceOf } from './place';
import { fittedTable, withoutControls } from './table';
import {
  openQuarantine,
  WHOLE_QUARANTINE,
  type QuarantinedRecord,
  type QuarantineFilter,
} from '../clickhouse/quarantine';
import { quoteName, quoteText } from '../clickhouse/quote';
import type { ClickHouse } from '../clickhouse/client';
import type { Config } from '../config';
import { topicOfTable } from '../plan/replay';
import { valueForm } from '../plan/value-form';
import { connectTarget, databasesOf } from '../wiring';

/** How records in quarantine are chosen. */
export interface QuarantineFlags {
  readonly table?: string;
  readonly topic?: string;
  readonly code?: string;
  readonly since?: string;
  readonly all?: true;
}

export type Print = (text: string) => void;

const WIDTH_WITHOUT_TERMINAL = 160;

export function filterOf(
  flags: QuarantineFlags,
  place: string | undefined,
  config: Pick<Config, 'topicPrefix'>,
  nowMs: number,
): QuarantineFilter {
  const { table, topic = null, code = null, since, all } = flags;
  return {
    ...WHOLE_QUARANTINE,
    table: table === undefined ? null : { name: table, topic: topicOfTable(config.topicPrefix, table) },
    topic,
    code,
    sinceMs: since === undefined ? null : sinceOf(since, nowMs),
    place: place === undefined ? null : placeOf(place),
    states: all === true || place !== undefined ? 'all' : 'open',
  };
}

/** Always 0. */
export async function quarantineList(
  config: Config,
  flags: QuarantineFlags,
  form: 'text' | 'json',
  print: Print,
): Promise<number> {
  const clickhouse = connectTarget(config);
  try {
    const quarantine = openQuarantine(clickhouse, databasesOf(config).machinery);
    const groups = await quarantine.groups(filterOf(flags, undefined, config, Date.now()));
    if (form === 'json') {
      print(JSON.stringify({ groups }, null, 2));
      return EXIT.done;
    }
    if (groups.length === 0) {
      print(flags.all === true ? 'Quarantine is empty.' : 'Nothing is open in quarantine.');
      return EXIT.done;
    }
    const rows = groups.map((group) => [
      group.table === '' ? '(not known)' : group.table,
      group.column,
      group.code,
      group.state,
      count(group.records),
      `${group.topic} ${group.first}${group.first === group.last ? '' : `–${group.last}`}`,
      new Date(group.lastMs).toISOString(),
    ]);
    const head = ['table', 'column', 'code', 'state', 'records', 'topic and offsets', 'last set aside'];
    print(fittedTable({ head, rows, width: process.stdout.columns || WIDTH_WITHOUT_TERMINAL, cutFirst: [5] }));
    print('quarantine show tells more of each record; docs/errors.md says what each code means and what to do.');
    return EXIT.done;
  } finally {
    await clickhouse.close();
  }
}

export interface ShowFlags extends QuarantineFlags {
  readonly bytes?: true;
  readonly limit?: number;
}

const SHOWN = 20;

/** A record as `show --json` prints it; bytes as hexadecimal text, only where they were asked for. */
export interface ShownRecord extends QuarantinedRecord {
  /** The form of the column's value: kind, size and pattern. '' where it is not known which column. */
  readonly valueForm: string;
  readonly bytes?: { readonly key: string; readonly value: string; readonly headers: string };
}

/** 0, or 1 where a place was asked for that is not in quarantine. */
export async function quarantineShow(
  config: Config,
  place: string | undefined,
  flags: ShowFlags,
  around: { readonly form: 'text' | 'json'; readonly print: Print },
): Promise<number> {
  const { form, print } = around;
  const clickhouse = connectTarget(config);
  const { machinery } = databasesOf(config);
  try {
    const quarantine = openQuarantine(clickhouse, machinery);
    const limit = flags.limit ?? SHOWN;
    const found = await quarantine.records(filterOf(flags, place, config, Date.now()), limit + 1);
    const shown: ShownRecord[] = [];
    for (const record of found.slice(0, limit)) {
      const { key, value, headers } = await quarantine.bytes(record);
      const form_ = record.column === '' ? '' : await formOf(record, clickhouse, machinery);
      const bytes = { key: key.toString('hex'), value: value.toString('hex'), headers: headers.toString('hex') };
      shown.push({ ...record, valueForm: form_, ...(flags.bytes === true ? { bytes } : {}) });
    }
    if (form === 'json') print(JSON.stringify({ records: shown, more: found.length > limit }, null, 2));
    else for (const line of showText(shown, found.length > limit)) print(line);
    return place !== undefined && shown.length === 0 ? EXIT.findings : EXIT.done;
  } finally {
    await clickhouse.close();
  }
}

/** The form of the first column named, from the image in `changes`. */
async function formOf(
  { topic, partition, offset, column }: QuarantinedRecord,
  clickhouse: ClickHouse,
  machinery: string,
): Promise<string> {
  const name = quoteText(column.split(', ')[0] ?? column);
  const [row] = await clickhouse.query<{ json: string }>(
    `SELECT JSONExtractRaw(if(after = '', before, after), ${name}) AS json FROM ${quoteName(machinery)}.changes ` +
      `WHERE topic = ${quoteText(topic)} AND partition = ${partition} AND offset = ${offset}`,
  );
  return valueForm(row?.json ?? '');
}

function showText(records: readonly ShownRecord[], more: boolean): string[] {
  if (records.length === 0) return ['Nothing of that is in quarantine.'];
  const lines = records.flatMap((record) => [...recordLines(record), '']);
  return more ? [...lines, 'There are more; --limit shows more of them, the filters fewer.'] : lines.slice(0, -1);
}

function recordLines(record: ShownRecord): string[] {
  const { topic, partition, offset, code, message, table, column, bytes } = record;
  const lines = [
    `${topic}:${partition}:${offset}  ${code}  ${record.state}`,
    `  why: ${withoutControls(message)}`,
    ...(table === '' ? [] : [`  table: ${withoutControls(table)}`]),
    ...(column === '' ? [] : [`  column: ${withoutControls(column)}`]),
    ...(record.valueForm === '' ? [] : [`  form of the value: ${record.valueForm}`]),
    `  set aside: ${new Date(record.atMs).toISOString()}`,
    `  bytes: key ${record.keyBytes}, value ${record.valueBytes}, headers ${record.headerBytes}`,
  ];
  if (record.digest !== '')
    lines.push(`  not kept: they may hold masked columns; retry reads them from Kafka again. Digest ${record.digest}`);
  if (record.resolvedMs !== null) {
    const by = record.who === '' ? '' : ` by ${withoutControls(record.who)}`;
    const why = record.reason === '' ? '' : `: ${withoutControls(record.reason)}`;
    lines.push(`  ${record.state}: ${new Date(record.resolvedMs).toISOString()}${by}${why}`);
  }
  if (bytes !== undefined && record.digest === '') {
    const text = (hex: string): string => withoutControls(Buffer.from(hex, 'hex').toString('utf8'));
    lines.push(`  key: ${text(bytes.key)}`, `  value: ${text(bytes.value)}`, `  headers: ${text(bytes.headers)}`);
  }
  return lines;
}
