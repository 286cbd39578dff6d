/** The service's own steps, one by one and without the service: chunks of a topic, blocks of chunks, inserts of blocks. */
import type { ClickHouseSettings } from '@clickhouse/client';
import { guardedInsert, type GuardedInsert, type TargetTable } from '../src/clickhouse/insert';
import type { MirrorLayout } from '../src/clickhouse/mirror-layout';
import { createImageReaders } from '../src/delivery/image-readers';
import { prepareBlock } from '../src/delivery/prepare';
import type { DeliveryLimits, MirroredTable } from '../src/delivery/ports';
import { openLog } from '../src/kafka/consumer';
import { placeholderOf } from '../src/placeholder';
import { OP, type RecordChunk } from '../src/model';
import { createGatherer, type Gatherer } from '../src/pipeline';
import type { ChangeBlock } from '../src/plan/change-block';
import { NO_MARKS } from '../src/plan/marks';
import { NO_WATERMARK } from '../src/plan/position';
import { readerOptions, type BenchTopic } from './topics';

/** The service's defaults. */
export const BLOCK = { rows: 32_768, bytes: 16 << 20 };

/** Reads a topic as the service does. `visit` gets each chunk once; its bytes stay only until it returns, unless it keeps them. */
export async function readChunks(
  brokers: string,
  topic: BenchTopic,
  visit: (chunk: RecordChunk) => 'go on' | 'stop',
): Promise<void> {
  const left = new Set(Array.from({ length: topic.partitions }, (_, partition) => partition));
  const ends = new Map<number, number>();
  const done = Promise.withResolvers<undefined>();
  const log = openLog(
    { ...readerOptions(brokers), groupId: `bench-parts-${Date.now()}` },
    {
      onAssigned(epoch, partitions) {
        for (const of of partitions) log.start(of, 0, epoch);
      },
      onChunk(chunk) {
        if (left.size === 0) return null;
        const stopped = visit(chunk) === 'stop';
        // The last record of a partition is the end of a transaction, which no chunk shows.
        if (chunk.nextOffset >= (ends.get(chunk.partition) ?? Infinity) - 1) left.delete(chunk.partition);
        if (stopped || left.size === 0) {
          left.clear();
          done.resolve(undefined);
        }
        return null;
      },
      onOutOfRange: () => done.reject(new Error('the topic lost its records')),
      onCrash: (error) => done.reject(error),
    },
  );
  for (const { partition, high } of await log.bounds(topic.topic)) ends.set(partition, high);
  await log.subscribe([topic.topic]);
  await done.promise;
  await log.stop();
}

export function newGatherer(limits: { rows: number; bytes: number } = BLOCK): Gatherer {
  return createGatherer({
    limits,
    filter: { ops: new Set(Object.values(OP)), keeps: () => true, isSignal: () => false },
    schemas: { find: () => null },
    from: 0,
    redoEnd: null,
  });
}

/** Step 0 of a fresh block: the columns of its inserts. */
export async function insertsOf(
  block: ChangeBlock,
  of: { readonly topic: string; readonly partition: number },
  at: { readonly changes: TargetTable; readonly mirror: TargetTable; readonly layout: MirrorLayout },
): Promise<readonly GuardedInsert[]> {
  const mirrored = mirroredTable(at.layout, at.mirror);
  const context = {
    ...of,
    start: block.start,
    end: block.end,
    at: Date.now(),
    seen: false,
    announced: false,
    round: 0,
    highest: -1,
    watermark: NO_WATERMARK,
    snapshot: { kind: 'mixed' as const },
    marks: NO_MARKS,
    changes: at.changes,
    quarantine: at.changes,
  };
  const nothing = (): never => {
    throw new Error('a fresh block looks nothing up');
  };
  const wire = { id: { low: 0, high: 0 }, transcoder: mirrored.readers.of(null) };
  const ports = {
    lookUps: new Proxy({}, { get: nothing }) as never,
    currentRows: nothing,
    tables: {
      open: () => Promise.resolve({ mirrored, wire: () => Promise.resolve(wire) }),
      lease: nothing,
      alone: nothing,
      refill: nothing,
      rebuild: nothing,
      refresh: nothing,
      reopen: nothing,
      widen: nothing,
      learnKey: nothing,
      recheck: nothing,
    },
  };
  return (await prepareBlock(block, context, ports, LIMITS)).inserts;
}

const LIMITS = {
  mirrors: true,
  placeholder: placeholderOf('__debezium_unavailable_value'),
} as unknown as DeliveryLimits;

const tables = new Map<string, MirroredTable>();

function mirroredTable(layout: MirrorLayout, target: TargetTable): MirroredTable {
  const name = `${target.database}.${target.name}`;
  const found = tables.get(name);
  if (found !== undefined) return found;
  const made = {
    name: layout.table,
    layout,
    readers: createImageReaders(layout),
    target,
    wholeBefore: true,
    earlier: null,
  };
  tables.set(name, made);
  return made;
}

/** An insert as it travels: the statement, the bytes, the settings. */
export interface Sent {
  readonly sql: string;
  readonly body: readonly Uint8Array[];
  readonly settings: ClickHouseSettings;
}

/** What the service would send for an insert. */
export async function sentFor(insert: GuardedInsert, changes: TargetTable): Promise<Sent> {
  const sent: Sent[] = [];
  const deadlineMs = Date.now() + 3_600_000;
  const client = {
    insert: (sql: string, body: readonly Uint8Array[], settings: ClickHouseSettings) => {
      sent.push({ sql, body, settings });
      return Promise.resolve();
    },
  };
  await guardedInsert(client, insert, { deadlineMs, changes }, 600);
  const [only] = sent;
  if (only === undefined) throw new Error('nothing was sent');
  return only;
}
