/** Tries records of quarantine again: what can be read now goes into `changes` at its own offset, and its key is reconciled. */
import type { Quarantine, QuarantinedRecord, QuarantineFilter, Resolution } from '../clickhouse/quarantine';
import type { Emit } from '../events';
import type { TopicPartition } from '../model';
import { createGatherer, type Filter } from '../pipeline';
import type { ChangeBlock } from '../plan/change-block';
import { lookBack } from './assign';
import type { BetweenBlocks } from './between-blocks';
import { eachBlockOfChanges } from './expired';
import { keptChunk, type KeptRecord } from './kept-records';
import type { DeliveryPorts } from './ports';

/** What came of a retry. */
export interface Retried {
  /** In `changes`, and its key as `changes` says. */
  readonly applied: number;
  /** Readable, and no change or one that settings leave out. */
  readonly skipped: number;
  /** Still not readable. */
  readonly still: number;
  /** Of those: their bytes were not kept, and Kafka does not have them any more. */
  readonly gone: number;
}

export interface RetryTools {
  readonly quarantine: Pick<Quarantine, 'records' | 'bytes' | 'resolve'>;
  readonly ports: Pick<DeliveryPorts, 'lookUps' | 'marks' | 'schemas'>;
  /** Records of a partition as Kafka has them yet: those whose bytes are not kept. */
  readonly again: (
    of: TopicPartition,
    offsets: readonly number[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<number, KeptRecord>>;
  readonly filter: Filter;
  readonly emit: Emit;
}

/** Records of one look at quarantine. */
const PAGE = 500;
/** Records of `changes` farther apart than this are not read in one range. */
const NEAR = 1_000;

/**
 * Tries the open records of one partition that the filter names, in offset order. Every record is judged and written as
 * if it were read again: exactly once, and in whatever order. Killed in between, it is tried again from the beginning.
 */
export async function retryQuarantine(
  filter: QuarantineFilter,
  who: string,
  at: BetweenBlocks,
  tools: RetryTools,
): Promise<Retried> {
  const counts = { applied: 0, skipped: 0, still: 0, gone: 0 };
  const ofPartition: QuarantineFilter = { ...filter, topic: at.of.topic, partition: at.of.partition, states: 'open' };
  let after: (TopicPartition & { offset: number }) | undefined;
  tools.ports.schemas.forgetUnknown();
  for (;;) {
    const page = await tools.quarantine.records(ofPartition, PAGE, after);
    if (page.length === 0) return counts;
    await at.begin();
    const hidden = page.filter(({ digest }) => digest !== '').map(({ offset }) => offset);
    const fromKafka = hidden.length === 0 ? new Map<number, KeptRecord>() : await tools.again(at.of, hidden, at.signal);
    for (const group of groupsOf(page)) {
      const outcome = isInChanges(group[0])
        ? await readAgain(group, at, tools)
        : await decodeAgain(group, fromKafka, at, tools);
      await writeDown(group, outcome, { who, counts, tools });
    }
    after = page.at(-1);
  }
}

/** The envelope could be opened, so `changes` has the record: it was a value that could not be read. */
function isInChanges(record: QuarantinedRecord | undefined): boolean {
  return record !== undefined && ['VALUE_UNREADABLE', 'VALUE_UNRESOLVED', 'VALUE_REJECTED'].includes(record.code);
}

/** Records of `changes` near to each other, together; the others one by one. */
function groupsOf(page: readonly QuarantinedRecord[]): QuarantinedRecord[][] {
  const groups: QuarantinedRecord[][] = [];
  for (const record of page) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    const near =
      before !== undefined && isInChanges(before) && isInChanges(record) && record.offset - before.offset < NEAR;
    if (near) last?.push(record);
    else groups.push([record]);
  }
  return groups;
}

/** What became of records, by offset; those that are missing are applied. */
type Outcome = ReadonlyMap<number, 'skipped' | 'still' | 'gone'>;

/** Reconciles everything of `changes` in the range of the records: more than is needed does no harm. */
async function readAgain(
  group: readonly QuarantinedRecord[],
  at: BetweenBlocks,
  { ports }: RetryTools,
): Promise<Outcome> {
  const outcome = new Map<number, 'still'>();
  const range = { from: group[0]?.offset ?? 0, to: (group.at(-1)?.offset ?? 0) + 1 };
  await eachBlockOfChanges(at.of, range, ports.lookUps, async (block) => {
    for (const offset of await rewrite(block, at, ports)) outcome.set(offset, 'still');
  });
  return outcome;
}

/** The record as it came: from quarantine, or from Kafka where quarantine may not have it. Null where neither has. */
async function bytesOf(
  record: QuarantinedRecord,
  fromKafka: ReadonlyMap<number, KeptRecord>,
  { quarantine, filter }: RetryTools,
): Promise<KeptRecord | null> {
  const { offset } = record;
  if (record.digest === '') {
    const { key, value, headers } = await quarantine.bytes(record);
    return { offset, timestampMs: 0, key: key.length === 0 ? null : key, value, headers };
  }
  const found = fromKafka.get(offset);
  if (found === undefined) return null;
  const [key, value] = [found.key ?? NOTHING, found.value ?? NOTHING];
  // Under the same address there may be another record: the topic was made again.
  const digest = filter.masking?.digest(key, value, found.headers) ?? record.digest;
  return digest === record.digest && value.length === record.valueBytes ? found : null;
}

const NOTHING = new Uint8Array(0);

/** From the bytes, as if Kafka had just brought them. */
async function decodeAgain(
  group: readonly QuarantinedRecord[],
  fromKafka: ReadonlyMap<number, KeptRecord>,
  at: BetweenBlocks,
  tools: RetryTools,
): Promise<Outcome> {
  const { filter, ports } = tools;
  const outcome = new Map<number, 'skipped' | 'still' | 'gone'>();
  for (const record of group) {
    const kept = await bytesOf(record, fromKafka, tools);
    if (kept === null) {
      outcome.set(record.offset, 'gone');
      continue;
    }
    const gatherer = createGatherer({
      limits: { rows: 1, bytes: Number.MAX_SAFE_INTEGER },
      filter,
      schemas: ports.schemas,
      from: record.offset,
      redoEnd: null,
    });
    const chunk = keptChunk(at.of, [kept]);
    for (let needed = gatherer.feed(chunk); needed !== null; needed = gatherer.feed(chunk)) {
      await ports.schemas.resolve(needed, at.signal);
    }
    const block = gatherer.takeFull() ?? gatherer.takeOpen();
    if (block !== null && block.bad.length > 0) outcome.set(record.offset, 'still');
    else if (block === null || block.rowCount === 0) outcome.set(record.offset, 'skipped');
    else for (const offset of await rewrite(block, at, ports)) outcome.set(offset, 'still');
  }
  return outcome;
}

/** The offsets that cannot be read now either. */
async function rewrite(block: ChangeBlock, at: BetweenBlocks, ports: RetryTools['ports']): Promise<number[]> {
  // The highest offset as if the block were the newest: its mirror work is never taken for done.
  const past = { ...(await lookBack(at.of, block.start, ports)), highest: block.end };
  return (await at.writer.rewrite(block, past)).map(({ offset }) => offset);
}

interface WritingDown {
  readonly who: string;
  readonly counts: { applied: number; skipped: number; still: number; gone: number };
  readonly tools: RetryTools;
}

async function writeDown(
  group: readonly QuarantinedRecord[],
  outcome: Outcome,
  { who, counts, tools }: WritingDown,
): Promise<void> {
  const resolved = group.flatMap((record) => {
    const found = outcome.get(record.offset) ?? 'applied';
    counts[found]++;
    if (found === 'gone') counts.still++;
    if (found === 'still' || found === 'gone') return [];
    const resolution: Resolution = found;
    const { topic, partition, offset, atMs } = record;
    return [{ topic, partition, offset, atMs, resolution, reason: '', who }];
  });
  if (resolved.length === 0) return;
  await tools.quarantine.resolve(resolved);
  const [{ topic, partition } = { topic: '', partition: 0 }] = resolved;
  tools.emit({ tag: 'quarantine-resolved', topic, partition, records: resolved.length });
}
