/** Finds the stage that lost a change: whether `changes` has what the source has, else whether Kafka still holds it. */
import { quoteText } from '../clickhouse/quote';
import { isTruncated, type Truncation } from '../plan/truncation';
import { timesOf, type EventRow, type WrongKey } from './compare-table';
import { sameState, type RowState } from './judge';
import { boundsOf } from './position';
import type { Held, KafkaLooks, MirrorQueries } from './ports';
import type { LostStage } from './result';
import type { TablePlan } from './table-plan';

export interface Searching {
  readonly plan: TablePlan;
  readonly mirror: MirrorQueries;
  readonly kafka: KafkaLooks;
  readonly envelopeText: (value: Uint8Array) => string | null;
  readonly topics: readonly string[];
  readonly changes: string;
  readonly changesOfTable: string;
  /** Ms after which reading a topic is given up. */
  readonly patienceMs: number;
}

const KEYS_A_QUERY = 1_000;
const OFFSETS_A_PAGE = 500_000;
/** What is kept of records that `changes` lacks. */
const MOST_STRANGERS = 10_000;
/** Bytes of envelopes in a statement: half of what ClickHouse takes. */
const STATEMENT_BYTES = 100_000;

/** The stage of each wrong key, in their order. */
export async function lostStages(wrong: readonly WrongKey[], of: Searching): Promise<LostStage[]> {
  const known = new Map<string, RowState>();
  for (let at = 0; at < wrong.length; at += KEYS_A_QUERY) {
    const keys = wrong.slice(at, at + KEYS_A_QUERY).map(({ rowKey }) => rowKey);
    const states = of.plan.counted ? await timesInChanges(keys, of) : await statesInChanges(keys, of);
    for (const [rowKey, state] of states) known.set(rowKey, state);
  }
  const { counted } = of.plan;
  const inChanges = wrong.map(({ rowKey, expected }) => {
    const state = known.get(rowKey) ?? null;
    return counted ? timesOf(state) === timesOf(expected) : sameState(state, expected);
  });
  const inKafka = inChanges.every(Boolean) ? new Map<string, RowState[]>() : await strangersInKafka(of);
  return wrong.map(({ rowKey, expected }, index): LostStage => {
    if (inChanges[index] === true) return 'mirror';
    const strangers = inKafka.get(rowKey) ?? [];
    return strangers.some((state) => counted || sameState(state, expected)) ? 'changes' : 'kafka';
  });
}

/** The state of each key by its newest event; a withheld value is not known. */
async function statesInChanges(
  keys: readonly string[],
  { plan, mirror, changes, changesOfTable }: Searching,
): Promise<Map<string, RowState>> {
  const [events, truncates] = await Promise.all([
    mirror.query<EventRow>(`SELECT * FROM (${plan.events(keys, '1', '0')}) ORDER BY offset DESC LIMIT 1 BY row_key`),
    mirror.query<{ topic: string; partition: number; last: string; last_us: string; last_lsn: string | null }>(
      `SELECT topic, partition, max(offset) AS last, toUnixTimestamp64Micro(argMax(ts, offset)) AS last_us, argMax(lsn, offset) AS last_lsn ` +
        `FROM ${changes} WHERE ${changesOfTable} AND redelivered = 0 AND op = 't' GROUP BY topic, partition`,
    ),
  ]);
  const truncations = truncates.map(({ topic, partition, last, last_us, last_lsn }) =>
    placed({ topic, partition, offset: last, ts_us: last_us, lsn: last_lsn }),
  );
  const states = new Map<string, RowState>();
  for (const event of events) {
    const truncated = isTruncated(placed(event), truncations);
    const cells = event.cells.map((cell, index) =>
      event.unavailable.includes(plan.names[index] ?? '') ? undefined : cell,
    );
    states.set(event.row_key, event.op === 'd' || truncated ? null : cells);
  }
  return states;
}

/** How often each row without a key is there by all of its events since the last truncate or the newest snapshot, as a cell. */
async function timesInChanges(
  keys: readonly string[],
  { plan, mirror, changes, changesOfTable }: Searching,
): Promise<Map<string, RowState>> {
  const ofTable = `${changesOfTable} AND redelivered = 0`;
  const [events, begins] = await Promise.all([
    mirror.query<EventRow>(plan.events(keys, '1', '0')),
    mirror.query<{ topic: string; partition: number; first: string }>(
      `SELECT topic, partition, max(first) AS first FROM (SELECT topic, partition, min(offset) AS first, max(offset) AS last FROM ${changes} ` +
        `WHERE ${ofTable} AND op = 'r' AND lsn IS NOT NULL GROUP BY topic, partition, lsn, ts ORDER BY last DESC LIMIT 1 BY topic, partition ` +
        `UNION ALL SELECT topic, partition, max(offset) AS first, first AS last FROM ${changes} WHERE ${ofTable} AND op = 't' GROUP BY topic, partition) GROUP BY topic, partition`,
    ),
  ]);
  const times = new Map<string, number>();
  for (const { row_key, topic, partition, offset, cells } of events) {
    const first = begins.find((one) => one.topic === topic && one.partition === partition)?.first ?? 0;
    if (Number(offset) >= Number(first)) times.set(row_key, (times.get(row_key) ?? 0) + timesOf(cells));
  }
  return new Map([...times].map(([rowKey, count]) => [rowKey, [String(count)]]));
}

function placed({
  topic,
  partition,
  offset,
  ts_us,
  lsn,
}: Pick<EventRow, 'topic' | 'partition' | 'offset' | 'ts_us' | 'lsn'>): Truncation {
  return { topic, partition, offset: Number(offset), tsUs: Number(ts_us), lsn: Number(lsn ?? -1) };
}

/** For each key the states that Kafka's records give it which `changes` does not have. */
async function strangersInKafka(of: Searching): Promise<Map<string, RowState[]>> {
  const found = new Map<string, RowState[]>();
  for (const held of await boundsOf(of.kafka, of.topics)) {
    const present = await offsetsInChanges(held, of);
    const envelopes: string[] = [];
    await of.kafka.read(
      [{ topic: held.topic, partition: held.partition, from: held.low, to: held.high }],
      ({ offset, value }) => {
        const isStranger = value.length > 0 && value.length < STATEMENT_BYTES && !present.has(offset);
        const text = isStranger ? of.envelopeText(value) : null;
        if (text !== null) envelopes.push(text);
        return envelopes.length < MOST_STRANGERS ? 'go on' : 'stop';
      },
      AbortSignal.timeout(of.patienceMs),
    );
    for (const some of slices(envelopes)) {
      const rows = await of.mirror.query<{ row_key: string; op: string; cells: (string | null)[] }>(
        of.plan.strangers(some),
      );
      for (const { row_key, op, cells } of rows)
        found.set(row_key, [...(found.get(row_key) ?? []), op === 'd' ? null : cells]);
    }
  }
  return found;
}

/** The offsets of a partition that `changes` has, as bits. */
async function offsetsInChanges(
  { topic, partition, low, high }: Held,
  { mirror, changes }: Searching,
): Promise<{ has(offset: number): boolean }> {
  const bits = new Uint8Array(Math.ceil((high - low) / 8));
  for (let at = low; at < high; at += OFFSETS_A_PAGE) {
    const rows = await mirror.query<{ offset: string }>(
      `SELECT offset FROM ${changes} WHERE topic = ${quoteText(topic)} AND partition = ${partition} AND offset >= ${at} AND offset < ${Math.min(high, at + OFFSETS_A_PAGE)}`,
    );
    for (const { offset } of rows) {
      const index = Number(offset) - low;
      bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
    }
  }
  return { has: (offset) => ((bits[(offset - low) >> 3] ?? 0) & (1 << ((offset - low) & 7))) !== 0 };
}

function* slices(texts: readonly string[]): Generator<string[]> {
  let slice: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    if (slice.length > 0 && bytes + text.length > STATEMENT_BYTES) {
      yield slice;
      slice = [];
      bytes = 0;
    }
    slice.push(text);
    bytes += text.length;
  }
  if (slice.length > 0) yield slice;
}
