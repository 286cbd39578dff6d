/**
 * Faults at named points of the protocol: each happens for certain, and nothing is lost or repeated. Sessions of the dead are
 * ended by the tests; that they end by themselves is seen where nobody does that (spread, restarts, chaos).
 */
import { proxied } from '../chaos/tcp-proxy';
import { faultyService, type FaultLine, type FaultyService } from '../faults/faulty-service';
import { scenario, withLogs } from '../harness/scenario';
import { waitFor } from '../harness/wait-for';
import { openWorld, type World } from '../harness/world';
import { setTimeout as pause } from 'node:timers/promises';

jest.setTimeout(120_000);

const TABLES = ['whole', 'partly'] as const;

describe('with a fault at a point of the protocol', () => {
  let world: World;
  let running: FaultyService[] = [];
  let round = 0;

  const prepare = async (): Promise<void> => {
    world = await openWorld();
    await world.sql(
      'CREATE TABLE whole (id int PRIMARY KEY, n int NOT NULL, note text)',
      'ALTER TABLE whole REPLICA IDENTITY FULL',
      'CREATE TABLE partly (id int PRIMARY KEY, n int NOT NULL, note text)',
      'ALTER TABLE partly ALTER COLUMN note SET STORAGE EXTERNAL',
      ...TABLES.map(
        (table) => `INSERT INTO ${table} SELECT i, 0, repeat(i || ' ', 1500) FROM generate_series(1, 30) i`,
      ),
    );
    await world.connect({ capture: { kind: 'tables', include: ['public.*'], exclude: [] } });
    await world.service.start();
    for (const table of TABLES) await world.mirrorEquals(table);
    expect(await world.service.stop()).toBe(0);
  };

  beforeAll(() => withLogs('the preparation', prepare));
  afterEach(async () => {
    for (const one of running) {
      if (one.process.isRunning()) await one.process.kill();
      await world.giveUp(one.process);
    }
    running = [];
  });
  afterAll(() => world.close());

  const service = (fault: string | null, settings: Readonly<Record<string, string>> = {}): FaultyService => {
    const made = faultyService(world, fault, settings);
    running.push(made);
    return made;
  };

  /** Changes that a repetition or a loss would show in: counts, a row deleted and made again, a key that moves, withheld values. */
  const write = async (): Promise<void> => {
    round++;
    const [free, moved] = [1_000 + round, 2_000 + round];
    for (const table of TABLES) {
      await world.sql(
        `UPDATE ${table} SET n = n + 1 WHERE id <= 10`,
        `UPDATE ${table} SET n = n + 1 WHERE id <= 3`,
        `DELETE FROM ${table} WHERE id = 11`,
        `INSERT INTO ${table} VALUES (11, ${round}, 'made again'), (${free}, ${round}, 'made')`,
        `UPDATE ${table} SET id = ${moved} WHERE id = ${free}`,
        `DELETE FROM ${table} WHERE id = ${moved - 1}`,
      );
    }
  };

  const nothingLostOrRepeated = async (): Promise<void> => {
    for (const table of TABLES) await world.mirrorEquals(table);
    await world.auditIsExactlyOnce();
  };

  /** Lets a service run into its fault; it is gone afterwards. */
  const dies = async (fault: string): Promise<FaultLine> => {
    const broken = service(fault);
    await broken.process.start({ awaitReading: 'no' });
    const line = await broken.happened();
    expect(await broken.process.ended()).toBeNull();
    await world.giveUp(broken.process);
    return line;
  };

  const heals = async (): Promise<FaultyService> => {
    const healthy = service(null);
    await healthy.process.start();
    await write();
    await nothingLostOrRepeated();
    return healthy;
  };

  const assignments = ({ process }: FaultyService, how: string): readonly unknown[] =>
    process.lines().filter((line) => line.event === 'partition-assigned' && line['how'] === how);

  const deaths: readonly (readonly [fault: string, words: string, recovers: 'announced' | 'any'])[] = [
    ['before-announce:1:kill', 'before the announce', 'any'],
    ['after-announce:1:kill', 'after the announce', 'announced'],
    ['before-mirror:1:kill', 'between changes and the mirror', 'announced'],
    ['after-changes:1:kill', 'after changes took the insert and before its answer', 'announced'],
    ['after-mirror:1:kill', 'after a mirror took the insert and before its answer', 'announced'],
    ['before-acknowledge:1:kill', 'before the commit that acknowledges', 'any'],
  ];
  for (const [fault, words, recovers] of deaths) {
    scenario(`a process that dies ${words} loses and repeats nothing`, async () => {
      await write();
      const { point } = await dies(fault);
      expect(point).toBe(fault.split(':')[0]);
      await write();
      const healthy = await heals();
      if (recovers === 'announced') expect(assignments(healthy, 'announced').length).toBeGreaterThan(0);
    });
  }

  scenario(
    'a process that dies before the announce that acknowledges the block before loses and repeats nothing',
    async () => {
      const broken = service('before-next-announce:3:kill');
      await broken.process.start();
      // Until there were blocks enough: a busy machine gathers many writes into one.
      const deadline = performance.now() + 60_000;
      while (broken.process.isRunning() && performance.now() < deadline) {
        await write();
        await pause(100);
      }
      expect((await broken.happened()).end).toBeGreaterThan(0);
      expect(await broken.process.ended()).toBeNull();
      await world.giveUp(broken.process);
      await heals();
    },
  );

  scenario('processes that die while they redo a block, one after the other, lose and repeat nothing', async () => {
    await write();
    const announced = await dies('after-announce:1:kill');
    for (const fault of [
      'after-changes:1:kill',
      'before-mirror:1:kill',
      'after-mirror:1:kill',
      'after-announce:1:kill',
    ]) {
      const again = service(fault);
      await again.process.start({ awaitReading: 'no' });
      await again.happened();
      expect(await again.process.ended()).toBeNull();
      await world.giveUp(again.process);
      expect(assignments(again, 'announced')).toContainEqual(
        expect.objectContaining({ topic: announced.topic, start: announced.offset }),
      );
    }
    await heals();
  });

  scenario('tokens that ClickHouse noted before it was killed, without the rows, lose nothing', async () => {
    await write();
    await dies('after-announce:1:kill');
    const topics = TABLES.map((table) => world.topic(table));
    const offsets = await world.topics.admin.fetchOffsets({ groupId: world.name, topics });
    const announced = offsets.flatMap(({ topic, partitions }) =>
      partitions.map(({ offset, metadata }) => ({
        ...{ topic, start: Number(offset) },
        ...(JSON.parse(metadata ?? '{}') as { end?: number; at?: number }),
      })),
    );
    const blocks = announced.filter(({ end }) => end !== undefined);
    expect(blocks.length).toBeGreaterThan(0);
    for (const { topic, start, end, at } of blocks) {
      const mirror = `${topic.split('.').at(-1)}__mirror`;
      for (const [table, columns, row, where] of [
        ['changes', 'topic, ingested_at', `'used up', fromUnixTimestamp64Milli(${at}, 'UTC')`, `topic = 'used up'`],
        [mirror, 'id, _sign', '-1, 1', 'id = -1'],
      ] as const) {
        const into = `${world.machinery}.${table}`;
        await world.clickhouse.command(`INSERT INTO ${into} (${columns}) SELECT ${row}`, {
          async_insert: 0,
          insert_deduplicate: 1,
          insert_deduplication_token: `${table}:${topic}:0:${start}:${end}:${at}`,
        });
        await world.clickhouse.command(`DELETE FROM ${into} WHERE ${where}`);
      }
    }
    const healthy = await heals();
    const again = healthy.process.lines().filter(({ event }) => event === 'written-again');
    expect(again.map(({ topic }) => topic)).toEqual(expect.arrayContaining(blocks.map(({ topic }) => topic)));
  });

  scenario('an insert whose answer is lost is sent again and written once', async () => {
    for (const point of ['after-changes', 'after-mirror']) {
      const broken = service(`${point}:2:lose`);
      await broken.process.start();
      await write();
      await write();
      await broken.happened();
      await nothingLostOrRepeated();
      expect(broken.process.lines().some(({ event }) => event === 'clickhouse-waiting')).toBe(true);
      expect(await broken.process.stop()).toBe(0);
    }
  });

  scenario('an announce whose answer is lost is repeated with the same words', async () => {
    const broken = service('after-announce:2:lose');
    await broken.process.start();
    await write();
    await write();
    const { topic, offset, end } = await broken.happened();
    await nothingLostOrRepeated();
    expect(broken.process.lines().some(({ event }) => event === 'kafka-waiting')).toBe(true);
    expect(broken.process.lines()).toContainEqual(
      expect.objectContaining({ event: 'block-written', topic, start: offset, end }),
    );
  });

  scenario('answers that are lost on their way, with the connection cut, lose and repeat nothing', async () => {
    const between = await proxied(world.stack.env);
    try {
      const through = service(null, between.settings);
      await through.process.start();
      for (const proxy of [between.clickhouse, between.kafka]) {
        proxy.loseAnswers(2);
        await write();
        await waitFor(() => proxy.lostAnswers() === 2, 'two answers were dropped');
        await nothingLostOrRepeated();
      }
      expect(await through.process.stop()).toBe(0);
    } finally {
      await between.close();
    }
  });

  for (const [words, waitMs, refusal] of [
    ['after the time of its guard is refused', 4_000, true],
    ['within the time of its guard changes nothing', 0, false],
  ] as const) {
    scenario(`an insert that arrives after the next owner wrote, ${words}`, async () => {
      const between = await proxied(world.stack.env);
      try {
        // Enough time to start the next owner before the guard ends, where that is what is looked at.
        const guard = { GUARD_SECONDS: refusal ? '2' : '60' };
        const stuck = service(null, { ...between.settings, ...guard });
        await stuck.process.start();
        await write();
        await nothingLostOrRepeated();
        const late = between.clickhouse.holdNext();
        await write();
        await late.held;
        await stuck.process.kill();
        await world.giveUp(stuck.process);
        const owner = service(null);
        await owner.process.start();
        await nothingLostOrRepeated();
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        const answer = await late.release();
        expect(answer).toMatch(refusal ? /exception-code: 395/i : /^HTTP\/1\.1 200/);
        await nothingLostOrRepeated();
        await write();
        await nothingLostOrRepeated();
        expect(assignments(owner, 'announced').length).toBeGreaterThan(0);
      } finally {
        await between.close();
      }
    });
  }

  for (const [point, words] of [
    ['after-announce', 'after its announce'],
    ['before-announce', 'before its announce'],
    ['before-mirror', 'between changes and the mirror'],
  ] as const) {
    scenario(`a process that is stopped ${words} until another took over writes nothing when it goes on`, async () => {
      const zombie = service(`${point}:1:freeze`);
      await zombie.process.start({ awaitReading: 'no' });
      await write();
      const { pid } = await zombie.happened();
      await world.giveUp(zombie.process);
      const owner = service(null);
      await owner.process.start({ awaitReading: 'no' });
      await write();
      await nothingLostOrRepeated();
      const before = await world.auditRows();
      process.kill(pid, 'SIGCONT');
      const isOver = ({ fenced, refused }: FaultLine): boolean => fenced !== undefined || refused !== undefined;
      await waitFor(() => zombie.lines().some(isOver), 'the process that goes on is told that its time is over');
      expect(await world.auditRows()).toEqual(before);
      await write();
      await nothingLostOrRepeated();
      expect(await zombie.process.stop()).toBe(0);
      expect(await owner.process.stop()).toBe(0);
    });
  }
});
