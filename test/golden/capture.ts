/** Captures the golden records anew from the real Debezium: `npm run golden`, with the parts of `npm run test:stack` if they are up. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROFILES, type Profile } from '../../src/connect/profile';
import { hasTestStack, startTestStack } from '../harness/test-stack';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';
import type { GoldenFile } from './golden';
import { AFTER, BEFORE, CHANGES, TABLES } from './tables';

async function capture(profile: Profile): Promise<GoldenFile> {
  const world = await openWorld();
  try {
    for (const statement of BEFORE) await world.sql(statement);
    await world.connect({ profile });
    await enough(world, CHANGES_IN_SNAPSHOT);
    for (const statement of AFTER) await world.postgres.query(statement);
    const wanted = Object.values(CHANGES).reduce((sum, count) => sum + count, 0);
    await enough(world, wanted);
    // The heartbeat is the last to come.
    await waitFor(async () => (await world.topics.names(world.name)).some((topic) => topic.startsWith('__')), 'a heartbeat', 30_000); // prettier-ignore
    return await collect(world);
  } finally {
    await world.close();
  }
}

const CHANGES_IN_SNAPSHOT = 3;

/** Waits until the topics of the tables hold so many records that are no tombstones. */
async function enough(world: World, count: number): Promise<void> {
  const tables = TABLES.map((table) => world.topic(table));
  await waitFor(
    async () => {
      const there = (await world.topics.names(world.name)).filter((topic) => tables.includes(topic));
      return (await world.topics.read(there)).filter(({ value }) => value !== null).length >= count;
    },
    `${count} changes`,
    60_000,
  );
}

async function collect(world: World): Promise<GoldenFile> {
  const names = (await world.topics.names(world.name)).sort();
  const all = await world.topics.read(names);
  const few = new Map<string, number>();
  const ofTables = new Set(TABLES.map((table) => world.topic(table)));
  const records = all.filter(({ topic }) => {
    few.set(topic, (few.get(topic) ?? 0) + 1);
    return ofTables.has(topic) || (few.get(topic) ?? 0) <= 2;
  });
  const schemas: Record<string, unknown> = {};
  const prefixes: string[] = [];
  const text = (bytes: Buffer | null): string | null => {
    if (bytes === null) return null;
    if (bytes[0] === 0) return `base64:${bytes.toString('base64')}`;
    const whole = bytes.toString('utf8').replaceAll(world.name, 'golden');
    const cut = whole.indexOf('"payload":');
    if (!whole.startsWith('{"schema":{') || cut < 0) return whole;
    const prefix = whole.slice(0, cut);
    if (!prefixes.includes(prefix)) prefixes.push(prefix);
    return `prefix:${prefixes.indexOf(prefix)}:${whole.slice(cut)}`;
  };
  for (const { value } of records) {
    if (value === null || value[0] !== 0) continue;
    const id = String(value.readUInt32BE(1));
    schemas[id] ??= JSON.parse(await schemaText(world, id)) as unknown;
  }
  return {
    schemas,
    prefixes,
    records: records.map(({ topic, key, value }) => ({
      topic: topic.replaceAll(world.name, 'golden'),
      key: text(key),
      value: text(value),
    })),
  };
}

async function schemaText(world: World, id: string): Promise<string> {
  const answer = await fetch(`${world.stack.env.REGISTRY_URL ?? ''}/apis/ccompat/v7/schemas/ids/${id}`);
  return ((await answer.json()) as { schema: string }).schema;
}

async function main(): Promise<void> {
  const given = hasTestStack();
  const stack = given ? null : await startTestStack((line) => process.stderr.write(`  ${line}\n`));
  try {
    for (const profile of PROFILES) {
      const golden = await capture(profile);
      const file = join(__dirname, `${profile}.golden.json`);
      writeFileSync(file, `${JSON.stringify(golden, null, 1)}\n`);
      process.stderr.write(`${file}: ${golden.records.length} records\n`);
    }
  } finally {
    await stack?.remove();
  }
}

void main();
