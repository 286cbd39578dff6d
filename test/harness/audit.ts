/** Compares `changes` with the topics: each change record there once, with what the record itself says. */
import type { ClickHouse } from '../../src/clickhouse/client';
import { changeOf, type Envelope, type TopicRecord } from './topics';

/** A row of `changes`; 64-bit numbers are text. */
export interface AuditRow {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly op: string;
  readonly schema: string;
  readonly table: string;
  readonly key: string;
  readonly before: string;
  readonly after: string;
  readonly tsUs: string;
  readonly capturedUs: string;
  readonly tx_id: string | null;
  readonly lsn: string | null;
  readonly commit_lsn: string | null;
  readonly redelivered: number;
  readonly unavailable: readonly string[];
}

/** Rows of `changes` by offset, of one table or of all. */
export function readAudit(clickhouse: ClickHouse, machinery: string, table?: string): Promise<AuditRow[]> {
  return clickhouse.query<AuditRow>(
    `SELECT topic, partition, offset, op, schema, table, key, before, after, toUnixTimestamp64Micro(ts) AS tsUs,
            toUnixTimestamp64Micro(captured_at) AS capturedUs, tx_id, lsn, commit_lsn, redelivered, unavailable
       FROM \`${machinery}\`.changes ${table === undefined ? '' : 'WHERE table = {table:String}'}
      ORDER BY topic, partition, offset`,
    table === undefined ? undefined : { table },
  );
}

/** What is wrong with `changes`, in words; empty when each change record of `records` is there once and right. */
export function auditFaults(records: readonly TopicRecord[], rows: readonly AuditRow[]): string[] {
  const faults: string[] = [];
  const byPlace = new Map<string, AuditRow>();
  for (const row of rows) {
    const at = place(row);
    if (byPlace.has(at)) faults.push(`${at} is in changes more than once`);
    byPlace.set(at, row);
  }
  const events = new Set<string>();
  for (const record of records) {
    const change = changeOf(record);
    if (change === null) continue;
    const at = place(record);
    const row = byPlace.get(at);
    const again = isAgain(record, change, events);
    byPlace.delete(at);
    if (row === undefined) {
      faults.push(`${at} (${change.op}) is not in changes`);
      continue;
    }
    faults.push(...rowFaults(record, change, row).map((fault) => `${at} ${fault}`));
    if (row.redelivered !== Number(again))
      faults.push(`${at} was ${again ? '' : 'not '}sent before, and changes says otherwise`);
  }
  for (const at of byPlace.keys()) faults.push(`${at} is in changes, but no such change is in Kafka`);
  return faults;
}

/** Whether the same event came before in its partition; `events` remembers. Records are in the order of their offsets. */
function isAgain(record: TopicRecord, { op, source, transaction }: Envelope, events: Set<string>): boolean {
  if (op === 'r' || source.lsn === null) return false;
  const { topic, partition, key } = record;
  // Rows without a key that were copied in one page are told apart by their place in the transaction alone.
  const row = key === null && op !== 't' ? transaction?.total_order : textOf(key);
  if (row === undefined) return false;
  const event = [topic, partition, source.table, source.lsn, source.txId, op, row].join(' ');
  const again = events.has(event);
  events.add(event);
  return again;
}

/** What a row of `changes` says otherwise than its record. */
function rowFaults(record: TopicRecord, change: Envelope, row: AuditRow): string[] {
  const wire = textOf(record.value);
  const { source } = change;
  const expected: readonly [string, unknown, unknown][] = [
    ['op', row.op, change.op],
    ['schema', row.schema, source.schema],
    ['table', row.table, source.table],
    ['key', row.key, textOf(record.key)],
    ['ts', row.tsUs, String(source.ts_us)],
    ['captured_at', row.capturedUs, String(change.ts_us)],
    ['tx_id', row.tx_id, textOrNull(source.txId)],
    ['lsn', row.lsn, textOrNull(source.lsn)],
    ['commit_lsn', row.commit_lsn, commitLsn(source.sequence)],
    // The text as it was sent, digit for digit.
    ['before', wire.includes(`"before":${orNull(row.before)},`), true],
    ['after', wire.includes(`"after":${orNull(row.after)},`), true],
  ];
  return expected
    .filter(([, actual, wanted]) => actual !== wanted)
    .map(([name, actual, wanted]) => `has ${name} ${String(actual)} instead of ${String(wanted)}`);
}

function textOf(bytes: Buffer | null): string {
  return bytes?.toString('utf8') ?? '';
}

function orNull(text: string): string {
  return text === '' ? 'null' : text;
}

function place({ topic, partition, offset }: { topic: string; partition: number; offset: number | string }): string {
  return `${topic}:${partition}:${offset}`;
}

function textOrNull(value: number | null): string | null {
  return value === null ? null : String(value);
}

function commitLsn(sequence: string | null): string | null {
  return sequence === null ? null : ((JSON.parse(sequence) as [string | null, string | null])[0] ?? null);
}
