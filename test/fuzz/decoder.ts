/** Damaged records through the very code that opens them: each is a change, a skip or a bad record, and no row is wrong. */
import { isDeepStrictEqual } from 'node:util';
import { mirrorLayout, type MirrorLayout } from '../../src/clickhouse/mirror-layout';
import { compileTranscoder, TRANSCODED } from '../../src/debezium/transcode';
import { keptChunk, type KeptRecord } from '../../src/delivery/kept-records';
import { OP, type SourceColumn } from '../../src/model';
import { createGatherer, type Filter, type Gatherer } from '../../src/pipeline';
import type { ChangeBlock } from '../../src/plan/change-block';
import { MirrorRows } from '../../src/plan/mirror-rows';
import { envelope } from '../unit/delivery/wire';
import { arbitraryBytes, mutated, seeded, type Random } from './mutate';

const OF = { topic: 'shop.public.orders', partition: 0 };
const KEEP_ALL: Filter = { ops: new Set(Object.values(OP)), keeps: () => true, isSignal: () => false };

/** What became of the records. */
export interface Tally {
  changes: number;
  skipped: number;
  bad: number;
}

const ROW = {
  id: 7,
  note: 'a "note" \u00fc',
  amount: '12.50',
  at: 1_795_223_719_264_516,
  tags: ['x', null],
  doc: '{"a":[1]}',
};

/** Well-formed records of every kind, to be damaged. */
export function wellFormed(): { readonly key: Buffer | null; readonly value: Buffer | null }[] {
  const key = Buffer.from('{"id":7}');
  const values: unknown[] = [
    envelope({ op: 'c', after: ROW }),
    envelope({ op: 'u', before: ROW, after: { ...ROW, note: null } }),
    envelope({ op: 'd', before: ROW }),
    envelope({ op: 'r', after: ROW, snapshot: 'last' }),
    envelope({ op: 't' }),
    envelope({ op: 'u', after: { ...ROW, note: '__debezium_unavailable_value' } }),
    { ts_ms: 1 },
    { status: 'BEGIN', id: '756:1', event_count: null, data_collections: null, ts_ms: 1 },
    { op: 'm', ts_ms: 1, source: { lsn: 1 }, message: { prefix: 'p', content: '' } },
    { schema: { type: 'struct', fields: [] }, payload: envelope({ op: 'c', after: ROW }) },
  ];
  const json = values.map((value) => ({ key, value: Buffer.from(JSON.stringify(value)) }));
  const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), Buffer.from('avro')]);
  return [...json, { key, value: null }, { key: null, value: framed }];
}

function column(name: string, base: string, array = false): SourceColumn {
  return { name, type: base, base, kind: 'b', modifier: -1, array, notNull: name === 'id', generated: false };
}

function layoutOf(): MirrorLayout {
  const columns = [
    ...[column('id', 'int4'), column('note', 'text'), column('amount', 'numeric'), column('at', 'timestamptz')],
    ...[column('tags', 'text', true), column('doc', 'jsonb')],
  ];
  const layout = mirrorLayout({ schema: 'public', name: 'orders', identity: 'full', columns, key: ['id'] });
  if ('code' in layout) throw new Error(layout.code);
  return layout;
}

const LAYOUT = layoutOf();

/** Opens `count` damaged records of a seed. Throws, with the seed's record in hexadecimal, where one is a wrong row. */
export function fuzzDecoder(seed: number, count: number): Tally {
  const random = seeded(seed);
  const patterns = wellFormed();
  const tally: Tally = { changes: 0, skipped: 0, bad: 0 };
  const parts: Parts = { gatherer: newGatherer(), transcoder: compileTranscoder(LAYOUT) };
  for (let offset = 0; offset < count; offset++) {
    const record = damagedRecord(offset, patterns, random);
    try {
      one(record, tally, parts);
    } catch (error) {
      const hex = `key ${record.key?.toString('hex') ?? 'null'}, value ${record.value?.toString('hex') ?? 'null'}`;
      throw new Error(`seed ${seed}, record ${offset}: ${(error as Error).message} (${hex})`, { cause: error });
    }
  }
  return tally;
}

interface Damaged extends KeptRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

function damagedRecord(
  offset: number,
  patterns: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[],
  random: Random,
): Damaged {
  const { key, value } = patterns[random.below(patterns.length)] ?? { key: null, value: null };
  const damage = (bytes: Buffer | null, odds: number): Buffer | null => {
    if (random.below(20) === 0) return arbitraryBytes(random, 200);
    return bytes === null || random.below(odds) === 0 ? bytes : mutated(bytes, random);
  };
  return { offset, timestampMs: 0, key: damage(key, 2), value: damage(value, 10), headers: arbitraryBytes(random, 40) };
}

/** One gatherer for all, as in the service: what a damaged record leaves behind would spoil the next. */
function newGatherer(): Gatherer {
  return createGatherer({
    limits: { rows: 1_000, bytes: 1 << 30 },
    filter: KEEP_ALL,
    schemas: { find: () => 'unknown' },
    from: 0,
    redoEnd: null,
  });
}

function one(record: Damaged, tally: Tally, { gatherer, transcoder }: Parts): void {
  if (gatherer.feed(keptChunk(OF, [record])) !== null)
    throw new Error('a schema is asked for that is known to be missing');
  const block = gatherer.takeFull() ?? gatherer.takeOpen();
  const skipped = [...gatherer.takeSkipped().values()].reduce((sum, number) => sum + number, 0);
  const [changes, bad] = [block?.rowCount ?? 0, block?.bad.length ?? 0];
  if (changes + bad + skipped !== 1)
    throw new Error(`${changes} changes, ${bad} bad, ${skipped} skipped of one record`);
  tally.changes += changes;
  tally.skipped += skipped;
  tally.bad += bad;
  if (block !== null && changes === 1) check(record, block, transcoder);
  if (block !== null) gatherer.release(block);
}

interface Parts {
  readonly gatherer: Gatherer;
  readonly transcoder: ReturnType<typeof compileTranscoder>;
}

/** What the plain reading of the same text says. */
function check({ value }: Damaged, block: ChangeBlock, transcoder: ReturnType<typeof compileTranscoder>): void {
  const parsed = JSON.parse(value?.toString('utf8') ?? '') as { payload?: unknown; schema?: unknown };
  const said = (
    'payload' in parsed && 'schema' in parsed && parsed.payload !== null ? parsed.payload : parsed
  ) as Record<string, unknown>;
  if (said['op'] !== String.fromCharCode(block.ops[0] ?? 0)) throw new Error(`op ${String(said['op'])}`);
  for (const name of ['before', 'after'] as const) {
    const text = block[name].textAt(0);
    const expected = said[name] ?? null;
    if (!isDeepStrictEqual(text === '' ? null : (JSON.parse(text) as unknown), expected))
      throw new Error(`${name} differs`);
    if (text === '') continue;
    const rows = new MirrorRows(LAYOUT);
    const bytes = Buffer.from(text);
    const outcome = transcoder.append(bytes, 0, bytes.length, rows);
    const written = outcome === TRANSCODED ? 1 : 0;
    for (const one of rows.columns)
      if (one.rows !== written) throw new Error(`a column has ${one.rows} rows, not ${written}`);
  }
}
