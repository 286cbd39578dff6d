/** The floor: the very rows that ours writes, from bytes that lie ready; nothing is read from Kafka, decoded or guarded. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TargetTable } from '../src/clickhouse/insert';
import type { BenchParts } from './bench-parts';
import { BENCH_DIR } from './bench-settings';
import { insertsOf, newGatherer, readChunks, sentFor } from './blocks';
import type { Contender } from './contender';
import { createTarget, layoutOf, targetOf, type Target } from './target-tables';
import type { BenchTopic } from './topics';

const UUID = '00000000-0000-0000-0000-000000000000';
const CHUNK = 1 << 20;

export const floorContender: Contender = {
  name: 'floor',
  async prepare(parts, topic, target) {
    if (!existsSync(folderOf(topic))) await prepareBlocks(parts, topic, targetOf('floor'));
    await createTarget(parts, target);
  },
  start(parts, topic) {
    // One lane for each partition, as ours has.
    const folder = folderOf(topic);
    const lanes = readdirSync(folder).map((lane) => insertLane(parts, join(folder, lane)));
    const all = Promise.all(lanes);
    all.catch(() => undefined);
    return Promise.resolve({
      pid: process.pid,
      async stop() {
        await all;
      },
    });
  },
};

function folderOf({ prefix }: BenchTopic): string {
  return join(BENCH_DIR, `floor-${prefix}`);
}

async function insertLane({ clickhouse }: BenchParts, lane: string): Promise<void> {
  const names = readdirSync(lane).filter((name) => name.endsWith('.sql'));
  for (const name of names.sort()) {
    const sql = readFileSync(join(lane, name), 'utf8');
    const bytes = readFileSync(join(lane, name.replace(/sql$/, 'native')));
    const body: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += CHUNK) body.push(bytes.subarray(at, at + CHUNK));
    await clickhouse.insert(sql, body, { max_insert_block_size: '16777216', min_insert_block_size_rows: '16777216' });
  }
}

/** Writes the body of every insert of the topic to a file, and beside it the statement without the guard. */
async function prepareBlocks(parts: BenchParts, topic: BenchTopic, target: Target): Promise<void> {
  const layout = await layoutOf(parts);
  const { machinery } = target.databases;
  const table = (name: string): TargetTable => ({ database: machinery, name, uuid: UUID });
  const changes = table('changes');
  const mirror = table(target.mirror.slice(machinery.length + 1));
  const fresh = `${folderOf(topic)}.new`;
  rmSync(fresh, { recursive: true, force: true });
  const lanes = Array.from({ length: topic.partitions }, (_, partition) => ({
    partition,
    gatherer: newGatherer(),
    folder: join(fresh, String(partition)),
    count: 0,
    written: Promise.resolve(),
  }));
  for (const { folder } of lanes) mkdirSync(folder, { recursive: true });
  type Lane = (typeof lanes)[number];
  const write = (lane: Lane, all: 'all' | 'full'): void => {
    for (;;) {
      const block = lane.gatherer.takeFull() ?? (all === 'all' ? lane.gatherer.takeOpen() : null);
      if (block === null) return;
      lane.written = lane.written.then(async () => {
        for (const insert of await insertsOf(
          block,
          { topic: topic.topic, partition: lane.partition },
          { changes, mirror, layout },
        )) {
          const { sql, body } = await sentFor(insert, changes);
          const name = join(lane.folder, String(lane.count++).padStart(6, '0'));
          writeFileSync(`${name}.native`, Buffer.concat(body));
          writeFileSync(`${name}.sql`, sql.replace(/WHERE throwIf.*\) = 0 (?=ORDER BY|FORMAT)/, ''));
        }
      });
    }
  };
  await readChunks(parts.env.KAFKA_BROKERS, topic, (chunk) => {
    const lane = lanes[chunk.partition];
    if (lane === undefined) throw new Error('a partition that the topic does not have');
    lane.gatherer.feed(chunk);
    write(lane, 'full');
    return 'go on';
  });
  for (const lane of lanes) {
    write(lane, 'all');
    await lane.written;
  }
  renameSync(fresh, folderOf(topic));
}
