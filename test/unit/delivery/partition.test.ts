/** The life of an assigned partition: where it starts, what it redoes, when it acknowledges, and how it ends. */
import type { SchemaRef } from '../../../src/debezium/schema-header';
import { createSchemas } from '../../../src/delivery/schemas';
import { ServiceError } from '../../../src/errors';
import { encodeNote, parseNote } from '../../../src/plan/commit';
import { encode, framed } from '../debezium/avro-encode';
import { envelopeSchema } from '../debezium/avro-envelope';
import { deliver, inserted, started } from './delivered';
import { away, createWorld, LIMITS, offsetsOf, refused, TARGET, until, type World } from './fakes';
import { chunkOf, created, envelope, TOPIC, type Sent } from './wire';

const creates = (...offsets: number[]): Sent[] => offsets.map((offset) => created(offset));

const announced = (offset: number, end: number, at = 123_000): World['committed'] => ({
  offset,
  metadata: encodeNote({ target: TARGET, announced: { end, at } }),
});

const idle = (offset: number): World['committed'] => ({
  offset,
  metadata: encodeNote({ target: TARGET, announced: null }),
});

describe('a partition starts', () => {
  it.each<[string, Partial<World>, number, string]>([
    ['at the oldest record the first time', { low: 7 }, 7, 'first start'],
    ['at the offset of an idle commit', { committed: idle(30) }, 30, 'idle'],
    ['at an announced block', { committed: announced(30, 35) }, 30, 'announced'],
  ])('%s', async (_, found, at, how) => {
    const world = Object.assign(createWorld(), found);
    await started(world);
    expect(world.startedAt).toBe(at);
    expect(world.events[0]).toEqual({ tag: 'partition-assigned', ...TOPIC, start: at, how });
    expect(world.calls.filter((call) => call.startsWith('sleep'))).toEqual([]);
  });

  it('after a wait when a hand was there, and takes what is found then', async () => {
    const world = createWorld();
    world.changes.add(10);
    world.committed = { offset: 4, metadata: '' };
    await started(world);
    expect(world.calls).toEqual(['sleep 60000', 'start at 0']);
    expect(world.events[0]).toMatchObject({ how: 'foreign commit', start: 0 });
  });

  it('only when the delivery of the epoch before has let go', async () => {
    const world = createWorld();
    let letGo: () => void = () => undefined;
    deliver(world, { after: new Promise<void>((resolve) => (letGo = resolve)) });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(world.calls).toEqual([]);
    letGo();
    await until(() => world.startedAt === 0);
  });

  it('not at all where unread records expired: that is fatal', async () => {
    const world = Object.assign(createWorld(), { committed: idle(30), low: 31 });
    const { delivery, fatal } = deliver(world);
    await delivery.ended;
    expect(fatal).toEqual([expect.objectContaining({ code: 'CHANGES_EXPIRED' })]);
    expect(fatal[0]).toBeInstanceOf(ServiceError);
    expect(world.calls).toEqual([]);
  });

  it('not at all once its epoch is over', async () => {
    const world = Object.assign(createWorld(), { epoch: 2 });
    await deliver(world).delivery.ended;
    expect(world.calls).toEqual([]);
  });
});

describe('records', () => {
  it('are written block after block and acknowledged when no more come', async () => {
    const world = createWorld();
    const { delivery } = await started(world, { limits: { ...LIMITS, blockRows: 2 } });
    void delivery.take(chunkOf(creates(0, 1, 2, 3, 4), { to: 9 }));
    await until(() => world.committed?.offset === 9);
    expect(world.calls.filter((call) => /^(announce|acknowledge)/.test(call))).toEqual([
      'announce [0, 2)',
      'announce [2, 4)',
      'announce [4, 5)',
      'acknowledge 9',
    ]);
    expect(inserted(world)).toEqual([[0, 1], [2, 3], [4]]);
    expect(parseNote(world.committed!.metadata)).toEqual({ target: TARGET, announced: null });
  });

  it('that are only skipped are acknowledged without a block', async () => {
    const world = createWorld();
    const { delivery } = await started(world);
    void delivery.take(chunkOf([{ offset: 0, value: null }], { to: 3 }));
    await until(() => world.committed !== null);
    expect(world.calls).toEqual(['start at 0', 'acknowledge 3']);
    await until(() => world.events.some(({ tag }) => tag === 'records-skipped'));
    expect(world.events.at(-1)).toMatchObject({ tag: 'records-skipped', kinds: { tombstone: 1 } });
  });

  it('are not acknowledged again while nothing comes', async () => {
    const world = Object.assign(createWorld(), { committed: idle(5) });
    const { delivery } = await started(world);
    void delivery.take(chunkOf([], { to: 5 }));
    await new Promise((resolve) => setTimeout(resolve, LIMITS.idleCommitMs * 3));
    expect(world.calls).toEqual(['start at 5']);
  });

  it('that wait for their block are not acknowledged before it is written', async () => {
    const world = createWorld();
    world.onCommit = ({ offset, metadata }) => {
      if (parseNote(metadata)?.announced !== null) return;
      const written = inserted(world).flat();
      expect(creates(0, 1, 2).filter((one) => one.offset < offset && !written.includes(one.offset))).toEqual([]);
    };
    // The pace of many changing tables: blocks are further apart than acknowledgements.
    const limits = { ...LIMITS, blockAgeMs: LIMITS.idleCommitMs * 8 };
    const { delivery, fatal } = await started(world, { limits });
    void delivery.take(chunkOf(creates(0)));
    await until(() => inserted(world).length === 1);
    void delivery.take(chunkOf(creates(1, 2), { to: 4 }));
    await until(() => world.committed?.offset === 4);
    expect(world.calls.filter((call) => /^(announce|acknowledge)/.test(call))).toEqual([
      'announce [0, 1)',
      'announce [1, 3)',
      'acknowledge 4',
    ]);
    expect(fatal).toEqual([]);
  });

  it('of another epoch are not taken', async () => {
    const world = createWorld();
    const { delivery } = await started(world);
    expect(delivery.take(chunkOf(creates(0), { epoch: 2 }))).toBeNull();
    await delivery.drain();
    expect(inserted(world)).toEqual([]);
  });

  it('wait for room while a full block is waiting, and only as long', async () => {
    const world = createWorld();
    let go: () => void = () => undefined;
    world.onInsert = () => new Promise((resolve) => (go = resolve));
    const { delivery } = await started(world, { limits: { ...LIMITS, blockRows: 1, mirrors: false } });
    void delivery.take(chunkOf(creates(0)));
    await until(() => world.calls.includes('insert changes [0, 1)'));
    let room = false;
    void delivery.take(chunkOf(creates(1)))?.then(() => (room = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(room).toBe(false);
    world.onInsert = () => undefined;
    go();
    await until(() => room);
  });

  describe('in Avro', () => {
    const SCHEMA = envelopeSchema([{ name: 'id', type: 'long' }]);
    const avro = (offset: number, id = 1): Sent => {
      const value = encode(SCHEMA, envelope({ after: { id: offset }, lsn: 1000 + offset }));
      return { offset, key: JSON.stringify({ id: offset }), value: framed(id, value) };
    };
    /** Offsets of the changes in the order of their writing, taken down at once: the columns are filled again later. */
    const auditOf = (world: World): number[] => {
      const seen: number[] = [];
      world.onInsert = (insert) => {
        if (insert.table.name === 'changes') seen.push(...offsetsOf(insert));
      };
      return seen;
    };

    it('wait for their schema, those behind them too, and are written in their order', async () => {
      const world = createWorld();
      const audited = auditOf(world);
      const answer = Promise.withResolvers<string | null>();
      const asked: SchemaRef[] = [];
      world.onSchema = (ref) => {
        asked.push(ref);
        return answer.promise;
      };
      const { delivery } = await started(world);
      void delivery.take(chunkOf(creates(0)));
      let room = 0;
      for (const sent of [avro(1), created(2)]) {
        const chunk = chunkOf([sent]);
        void delivery.take(chunk)?.then(() => room++);
        // The consumer fills its buffer again as soon as it was handed over.
        const walk = chunk.records();
        walk.next();
        walk.bytes.fill(0);
      }
      await until(() => world.committed?.offset === 1);
      expect([room, asked]).toEqual([0, [{ space: 'id', id: 1 }]]);
      answer.resolve(JSON.stringify(SCHEMA));
      await until(() => room === 2 && world.committed?.offset === 3);
      await delivery.drain();
      expect(audited).toEqual([0, 1, 2]);
      expect(asked).toHaveLength(1);
    });

    it('wait while the registry is away, and it is told', async () => {
      const world = createWorld();
      const audited = auditOf(world);
      let attempts = 0;
      world.onSchema = async () => {
        if (++attempts < 3) throw new ServiceError('REGISTRY_UNREACHABLE', 'no answer', { hint: '' });
        return JSON.stringify(SCHEMA);
      };
      const { delivery } = await started(world);
      void delivery.take(chunkOf([avro(0)]));
      await until(() => audited.includes(0));
      await delivery.drain();
      expect(world.events.map(({ tag }) => tag)).toEqual(expect.arrayContaining(['registry-waiting', 'back-again']));
    });

    it('go to quarantine with the number of a schema that the registry has not, after asking again', async () => {
      const world = createWorld();
      const audited = auditOf(world);
      let asked = 0;
      world.onSchema = async ({ id }) => {
        asked++;
        return id === 1 ? JSON.stringify(SCHEMA) : null;
      };
      const { delivery } = await started(world);
      void delivery.take(chunkOf([avro(0), avro(1, 77), avro(2, 77), avro(3)]));
      await until(() => audited.includes(3));
      await delivery.drain();
      expect(asked).toBe(6);
      expect(audited).toEqual([0, 3]);
      expect(world.events).toContainEqual(
        expect.objectContaining({ tag: 'record-quarantined', code: 'SCHEMA_UNKNOWN', offset: 2 }),
      );
    });

    it('are asked for again when somebody says that the schema is there now', async () => {
      let text: string | null = null;
      const emit = (): void => undefined;
      const schemas = createSchemas({ fetch: async () => text, emit, sleep: async () => undefined });
      const ref = { space: 'id', id: 7 } as const;
      const { signal } = new AbortController();
      await schemas.resolve(ref, signal);
      text = JSON.stringify(SCHEMA);
      expect(schemas.find('id', 7)).toBe('unknown');
      schemas.forgetUnknown();
      expect(schemas.find('id', 7)).toBeNull();
      await schemas.resolve(ref, signal);
      expect(schemas.find('id', 7)).toMatchObject({ kind: 'envelope' });
    });

    it('are fatal where no registry is set, and what came before them is kept', async () => {
      const world = createWorld();
      const schemas = createSchemas({ fetch: null, emit: () => undefined, sleep: async () => undefined });
      const { delivery, fatal } = await started(world, { ports: { ...world.ports, schemas } });
      void delivery.take(chunkOf([...creates(0), avro(1)]));
      await until(() => fatal.length > 0);
      expect(fatal).toEqual([expect.objectContaining({ code: 'REGISTRY_NOT_SET' })]);
      await delivery.drain();
      expect(world.committed?.offset).toBe(1);
    });

    it('let go of the partition while they wait', async () => {
      const world = createWorld();
      const audited = auditOf(world);
      world.onSchema = () => new Promise(() => undefined);
      const { delivery, fatal } = await started(world);
      void delivery.take(chunkOf([...creates(0), avro(1)]));
      await until(() => audited.includes(0));
      await delivery.drain();
      expect([world.committed?.offset, fatal]).toEqual([1, []]);
    });
  });
});

describe('an announced block', () => {
  it('is redone with its bounds and time, whatever else came, before anything new is written', async () => {
    const world = Object.assign(createWorld(), { committed: announced(4, 8) });
    world.changes.add(4);
    const { delivery } = await started(world);
    void delivery.take(chunkOf(creates(4, 5)));
    await new Promise((resolve) => setTimeout(resolve, LIMITS.idleCommitMs * 2));
    expect(world.calls).toEqual(['start at 4']);
    void delivery.take(chunkOf(creates(7, 8)));
    await until(() => world.committed?.offset === 9);
    expect(world.calls.filter((call) => call.startsWith('announce'))).toEqual(['announce [4, 8)', 'announce [8, 9)']);
    expect(inserted(world)).toEqual([[5, 7], [8]]);
    const first = [...world.written.values()][0];
    expect(Object.fromEntries(first!.insert.constants)['ingested_at']).toBe("fromUnixTimestamp64Milli(123000, 'UTC')");
  });

  it('of which Kafka holds nothing any more is passed, so that the partition goes on', async () => {
    const world = Object.assign(createWorld(), { committed: announced(4, 8) });
    const { delivery } = await started(world);
    void delivery.take(chunkOf([], { to: 8 }));
    await until(() => world.committed?.offset === 8 && parseNote(world.committed.metadata)?.announced === null);
    expect(inserted(world)).toEqual([]);
  });

  it('is redone with the same bounds and time after the guard refused it', async () => {
    const world = createWorld();
    const tokens: string[] = [];
    world.onInsert = (insert) => {
      tokens.push(insert.token);
      if (tokens.length === 1) throw refused();
    };
    const { delivery } = await started(world);
    void delivery.take(chunkOf(creates(0, 1)));
    await until(() => world.calls.includes('halt') && world.startedAt === 0);
    world.nowMs += 60_000;
    void delivery.take(chunkOf(creates(0, 1, 2)));
    await until(() => world.committed?.offset === 3);
    expect(tokens[1]).toBe(tokens[0]);
    expect(world.calls.filter((call) => call.startsWith('announce'))).toEqual([
      'announce [0, 2)',
      'announce [0, 2)',
      'announce [2, 3)',
    ]);
    expect(inserted(world)).toEqual([[0, 1], [2]]);
    expect(world.events.map(({ tag }) => tag)).toContain('redo');
  });
});

describe('a partition ends', () => {
  it('when it is drained: what was taken is written and acknowledged', async () => {
    const world = createWorld();
    const { delivery } = await started(world, { limits: { ...LIMITS, blockAgeMs: 60_000, idleCommitMs: 60_000 } });
    void delivery.take(chunkOf(creates(0)));
    await until(() => inserted(world).length === 1);
    void delivery.take(chunkOf(creates(1, 2)));
    await delivery.drain();
    expect(inserted(world)).toEqual([[0], [1, 2]]);
    expect(world.calls.at(-1)).toBe('acknowledge 3');
    expect(delivery.take(chunkOf(creates(3)))).toBeNull();
  });

  it('when it is drained in the middle of a redo: the announce stands', async () => {
    const world = Object.assign(createWorld(), { committed: announced(4, 8) });
    const { delivery } = await started(world);
    void delivery.take(chunkOf(creates(4)));
    await delivery.drain();
    expect(world.calls).toEqual(['start at 4']);
    expect(world.committed).toEqual(announced(4, 8));
  });

  it('when it is drained before it has started, and while it waits for a hand', async () => {
    const world = createWorld();
    const never = new Promise<void>(() => undefined);
    const sleeping = {
      ...world.ports,
      sleep: (_: number, signal: AbortSignal) => Promise.race([never, aborted(signal)]),
    };
    world.committed = { offset: 4, metadata: '' };
    const { delivery, fatal } = deliver(world, { ports: sleeping });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await delivery.drain();
    expect(world.calls).toEqual([]);
    expect(fatal).toEqual([]);
  });

  it('when it is abandoned: between two requests, without an acknowledgement', async () => {
    const world = createWorld();
    const { delivery, fatal } = await started(world);
    world.onInsert = () => delivery.abandon();
    void delivery.take(chunkOf(creates(0)));
    await delivery.ended;
    expect(world.calls).toEqual(['start at 0', 'lease', 'announce [0, 1)', 'insert changes [0, 1)', 'release']);
    expect(fatal).toEqual([]);
  });

  it('when it is fenced: nothing is written, and nothing is fatal', async () => {
    const world = createWorld();
    const { delivery, fatal } = await started(world);
    world.epoch = 2;
    void delivery.take(chunkOf(creates(0)));
    await delivery.ended;
    expect([inserted(world), fatal, world.committed]).toEqual([[], [], null]);
  });

  it('with an unexpected error, which is fatal', async () => {
    const world = createWorld();
    world.onInsert = () => {
      throw new TypeError('a fault');
    };
    const { delivery, fatal } = await started(world);
    void delivery.take(chunkOf(creates(0)));
    await delivery.ended;
    expect(fatal).toEqual([expect.any(TypeError)]);
  });
});

describe('a partition that Kafka moved', () => {
  it('forgets what it took and finds its start anew', async () => {
    const world = createWorld();
    const { delivery } = await started(world, { limits: { ...LIMITS, blockAgeMs: 60_000 } });
    void delivery.take(chunkOf(creates(0)));
    await until(() => world.calls.includes('insert orders__mirror [0, 1)'));
    void delivery.take(chunkOf(creates(1)));
    world.committed = idle(1);
    world.low = 1;
    delivery.reassign();
    await until(() => world.startedAt === 1);
    expect(inserted(world)).toEqual([[0]]);
  });
});

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('stopped')));
  });
}

describe('an idle partition', () => {
  it('does not acknowledge what was taken and waits to be written', async () => {
    const world = createWorld();
    const { delivery } = await started(world, { limits: { ...LIMITS, blockAgeMs: 60_000 } });
    void delivery.take(chunkOf(creates(0)));
    await until(() => inserted(world).length === 1);
    // The next block is due in a minute; who is killed until then must read them again.
    void delivery.take(chunkOf(creates(1, 2)));
    await new Promise((resolve) => setTimeout(resolve, LIMITS.idleCommitMs * 5));
    expect(inserted(world)).toEqual([[0]]);
    expect(world.committed?.offset ?? 0).toBeLessThanOrEqual(1);
    await delivery.drain();
    expect(inserted(world)).toEqual([[0], [1, 2]]);
    expect(world.committed).toEqual(idle(3));
  });

  it('finds by itself that the target was replaced, and reads from the oldest', async () => {
    const world = Object.assign(createWorld(), { committed: idle(30), low: 7 });
    deliver(world);
    await until(() => world.startedAt === 30);
    world.changesUuid = 'b0000000-0000-0000-0000-000000000002';
    await until(() => world.startedAt === 7);
    expect(world.events.at(-1)).toMatchObject({ tag: 'partition-assigned', how: 'replaced target', start: 7 });
  });

  it('goes on when ClickHouse does not answer', async () => {
    const world = Object.assign(createWorld(), { committed: idle(30) });
    const { fatal } = deliver(world, {
      ports: {
        ...world.ports,
        glance: async () => {
          if (world.startedAt === 30) throw away('CLICKHOUSE_UNREACHABLE');
          return world.ports.glance();
        },
      },
    });
    await until(() => world.startedAt === 30);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(world.calls.filter((call) => call === 'halt')).toEqual([]);
    expect(fatal).toEqual([]);
  });
});
