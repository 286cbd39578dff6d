/** Both ends of a request: the service that takes it up and answers, and the command that follows the answers. */
import type { ControlValue } from '../../../src/clickhouse/control';
import { followAnswers, type Following } from '../../../src/delivery/follow-answers';
import type { Operations } from '../../../src/delivery/operations';
import type { Delivery } from '../../../src/delivery/delivery';
import type { ReplayProgress, ReplayResult } from '../../../src/delivery/replay-run';
import { carryOut, type Answer, type Request } from '../../../src/delivery/request-kinds';
import { answerName, answerRequests, answersTo, requestName } from '../../../src/delivery/requests';
import type { RebuildOutcome } from '../../../src/delivery/table-rebuild';
import { ServiceError } from '../../../src/errors';

const REPLAY: Request = { kind: 'replay', from: { kind: 'beginning' }, tables: null };
const NOTHING: ReplayProgress = { partitions: 0, caughtUp: 0, total: 0, passed: 0 };

/** `control` in memory, with a clock that the test moves. */
function memory() {
  const values = new Map<string, { value: string; at: number }>();
  const clock = { ms: 0 };
  const history: [string, string][] = [];
  const faults: Error[] = [];
  const startingWith = (prefix: string): string[] => [...values.keys()].filter((name) => name.startsWith(prefix));
  const control = {
    get: async (name: string) => values.get(name)?.value ?? null,
    set: async (name: string, value: string) => {
      const fault = faults.shift();
      if (fault) throw fault;
      history.push([name, value]);
      values.set(name, { value, at: clock.ms });
    },
    newest: async (prefix: string): Promise<ControlValue[]> =>
      startingWith(prefix).map((name) => {
        const { value, at } = values.get(name)!;
        return { name, value, ageMs: clock.ms - at };
      }),
    forget: async (prefix: string, olderThanMs = 0) => {
      for (const name of startingWith(prefix))
        if (olderThanMs === 0 || clock.ms - values.get(name)!.at > olderThanMs) values.delete(name);
    },
  };
  const sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    clock.ms += ms;
    signal.throwIfAborted();
  };
  const answers = (id: string): Answer[] =>
    history.filter(([name]) => name.startsWith(answersTo(id))).map(([, value]) => JSON.parse(value) as Answer);
  return { control, values, clock, sleep, faults, answers };
}

type Memory = ReturnType<typeof memory>;

function deliveryOf(replay: Delivery['replay'], outcome: RebuildOutcome = 'rebuilt'): Delivery {
  const unused = (): never => {
    throw new Error('not asked for');
  };
  return {
    replay,
    rebuild: async () => outcome,
    rebuildMarked: unused,
    repair: unused,
    ...{ listener: {} as Delivery['listener'], start: unused, stop: unused, assigned: unused, idleMs: unused },
    ...{ pause: unused, between: unused },
  };
}

/** A service of one process; `stop` ends it as its shutdown does. */
function service(of: Memory, delivery: Delivery, processId = 'p1') {
  const over = new AbortController();
  const handling = {
    control: of.control,
    delivery,
    operations: {} as Operations,
    processId,
    emit: () => undefined,
    sleep: of.sleep,
  };
  const ended = answerRequests(handling, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  return {
    ended,
    async stop() {
      over.abort(new Error('stopped'));
      await ended;
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let left = 2_000; !condition(); left--) {
    if (left === 0) throw new Error('it did not come to that');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const result = (more: Partial<ReplayResult> = {}): ReplayResult => ({ ...NOTHING, replayed: [], ...more });

describe('a service that is asked', () => {
  it('says that it runs, how far it is, and last how it ended', async () => {
    const of = memory();
    const finish = Promise.withResolvers<ReplayResult>();
    let progress: (progress: ReplayProgress) => void = () => undefined;
    const one = service(
      of,
      deliveryOf(async (_, onProgress) => {
        progress = onProgress ?? progress;
        return finish.promise;
      }),
    );
    await of.control.set(requestName('x'), JSON.stringify(REPLAY));
    await until(() => of.answers('x').some(({ state }) => state === 'running'));
    progress({ partitions: 1, caughtUp: 0, total: 10, passed: 4 });
    await until(() => of.answers('x').some((answer) => answer.progress?.passed === 4));
    finish.resolve(result({ partitions: 1, caughtUp: 1, replayed: ['t:0'] }));
    await until(() => of.answers('x').at(-1)?.state === 'done');
    expect(of.answers('x').at(-1)).toMatchObject({ replayed: ['t:0'], progress: { caughtUp: 1 } });
    const written = of.answers('x').length;
    const later = of.clock.ms + 20_000;
    await until(() => of.clock.ms > later);
    expect(of.answers('x')).toHaveLength(written);
    await one.stop();
  });

  it('tells a second request that it waits, and carries out one after the other', async () => {
    const of = memory();
    const runs = [Promise.withResolvers<ReplayResult>(), Promise.withResolvers<ReplayResult>()];
    let begun = 0;
    const one = service(
      of,
      deliveryOf(() => runs[begun++]!.promise),
    );
    await of.control.set(requestName('x'), JSON.stringify(REPLAY));
    await of.control.set(requestName('y'), JSON.stringify(REPLAY));
    await until(() => of.answers('y').length > 3);
    expect(new Set(of.answers('y').map(({ state }) => state))).toEqual(new Set(['waiting']));
    expect(begun).toBe(1);
    runs[0]?.resolve(result());
    await until(() => of.answers('y').at(-1)?.state === 'running');
    expect(of.answers('x').at(-1)?.state).toBe('done');
    runs[1]?.resolve(result());
    await until(() => of.answers('y').at(-1)?.state === 'done');
    await one.stop();
  });

  it('does not take up what nobody waits for any more, nor the same twice', async () => {
    const of = memory();
    let begun = 0;
    await of.control.set(requestName('old'), JSON.stringify(REPLAY));
    of.clock.ms = 61_000;
    const one = service(
      of,
      deliveryOf(async () => (begun++, result())),
    );
    await until(() => of.clock.ms > 80_000);
    expect(begun).toBe(0);
    for (let time = 0; time < 3; time++) {
      await of.control.set(requestName('new'), JSON.stringify(REPLAY));
      const later = of.clock.ms + 10_000;
      await until(() => of.clock.ms > later);
    }
    expect(begun).toBe(1);
    expect(of.answers('old')).toEqual([]);
    await one.stop();
  });

  it('waits for a ClickHouse that is away, and answers then', async () => {
    const of = memory();
    const one = service(
      of,
      deliveryOf(async () => result()),
    );
    await of.control.set(requestName('x'), JSON.stringify(REPLAY));
    of.faults.push(new ServiceError('CLICKHOUSE_UNREACHABLE', 'away', { hint: '' }));
    for (let left = 100; of.answers('x').at(-1)?.state !== 'done'; left--) {
      if (left === 0) throw new Error('no answer');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(of.faults).toEqual([]);
    await one.stop();
  });

  it('answers a request that it does not know instead of ending', async () => {
    const of = memory();
    const one = service(
      of,
      deliveryOf(async () => result()),
    );
    await of.control.set(requestName('x'), 'not JSON');
    await of.control.set(requestName('y'), '{"kind":"paint"}');
    await until(() => of.answers('x').length > 0 && of.answers('y').length > 0);
    expect(of.answers('x')[0]?.state).toBe('failed');
    expect(of.answers('y')[0]?.message).toContain('version');
    await one.stop();
  });

  it('says at its stop how the request in hand ended', async () => {
    const of = memory();
    const finish = Promise.withResolvers<ReplayResult>();
    const one = service(
      of,
      deliveryOf(() => finish.promise),
    );
    await of.control.set(requestName('x'), JSON.stringify(REPLAY));
    await until(() => of.answers('x').at(-1)?.state === 'running');
    const stopped = one.stop();
    finish.reject(new ServiceError('REQUEST_FAILED', 'stopped before it was done', { hint: '' }));
    await stopped;
    expect(of.answers('x').at(-1)).toEqual({ state: 'failed', message: 'stopped before it was done' });
  });
});

describe('the answer to a rebuild', () => {
  it.each([
    ['rebuilt', 'done', undefined],
    ['not-mine', 'not-mine', undefined],
    ['nothing', 'failed', 'changes holds no change of public.a'],
    ['not-mirrored', 'failed', 'is not mirrored'],
  ] as const)('of %s is %s', async (outcome, state, message) => {
    const delivery = deliveryOf(async () => result(), outcome);
    const answer = await carryOut(
      { kind: 'rebuild', schema: 'public', table: 'a' },
      { delivery, operations: {} as Operations },
      () => undefined,
    );
    expect(answer.state).toBe(state);
    if (message !== undefined) expect(answer.message).toContain(message);
  });
});

describe('a command that asks', () => {
  const follow = (of: Memory, more: Partial<Following> = {}): Promise<Answer[]> =>
    followAnswers(REPLAY, {
      control: of.control,
      memberCount: async () => 1,
      onAnswers: () => undefined,
      now: () => of.clock.ms,
      sleep: of.sleep,
      signal: new AbortController().signal,
      ...more,
    });
  const asked = (of: Memory): string | undefined =>
    [...of.values.keys()].find((name) => name.startsWith('request:'))?.slice('request:'.length);

  it('ends when every member has answered to the end, and leaves nothing behind', async () => {
    const of = memory();
    const services = ['p1', 'p2'].map((id) =>
      service(
        of,
        deliveryOf(async () => result({ replayed: [`t:${id}`] })),
        id,
      ),
    );
    const answers = await follow(of, { memberCount: async () => 2 });
    expect(answers.map(({ state }) => state)).toEqual(['done', 'done']);
    expect(answers.flatMap(({ replayed }) => replayed)).toEqual(['t:p1', 't:p2']);
    expect([...of.values.keys()]).toEqual([]);
    for (const one of services) await one.stop();
  });

  it('withdraws its request once all have taken it up, so that nobody begins it later', async () => {
    const of = memory();
    const states: (string | undefined)[] = [];
    const following = follow(of, { onAnswers: () => states.push(asked(of)) });
    await until(() => asked(of) !== undefined);
    const id = asked(of) ?? '';
    await of.control.set(answerName(id, 'p1'), JSON.stringify({ state: 'running' }));
    await until(() => asked(of) === undefined);
    expect(states.at(-1)).toBeUndefined();
    await of.control.set(answerName(id, 'p1'), JSON.stringify({ state: 'done' }));
    expect((await following).map(({ state }) => state)).toEqual(['done']);
  });

  it('counts a process that stopped answering as failed', async () => {
    const of = memory();
    const following = follow(of);
    await until(() => asked(of) !== undefined);
    await of.control.set(answerName(asked(of) ?? '', 'p1'), JSON.stringify({ state: 'running' }));
    const [answer] = await following;
    expect(answer?.state).toBe('failed');
    expect(answer?.message).toContain('stopped answering');
    expect([...of.values.keys()]).toEqual([]);
  });

  it('makes its request again while not all have taken it up, and gives up in words', async () => {
    const of = memory();
    const following = follow(of, { memberCount: async () => 2 });
    await until(() => of.clock.ms > 70_000);
    expect((await of.control.newest('request:'))[0]?.ageMs).toBeLessThan(15_000);
    await expect(following).rejects.toThrow('Of 2 members of the group, 0 answered within 90 s.');
    expect([...of.values.keys()]).toEqual([]);
  });

  it('does not give up because Kafka or ClickHouse was away for a while', async () => {
    const of = memory();
    let away = 0;
    const following = follow(of, {
      memberCount: async () => {
        if (away++ < 20) throw new ServiceError('KAFKA_UNREACHABLE', 'away', { hint: '' });
        return 1;
      },
    });
    await until(() => asked(of) !== undefined);
    const id = asked(of) ?? '';
    await of.control.set(answerName(id, 'p1'), JSON.stringify({ state: 'done', replayed: [] }));
    expect((await following).map(({ state }) => state)).toEqual(['done']);
  });

  it('cleans up after Ctrl-C, and sweeps what commands left behind that were killed', async () => {
    const of = memory();
    await of.control.set(requestName('dead'), '{}');
    await of.control.set(answerName('dead', 'p9'), '{}');
    of.clock.ms = 90_000_000;
    const stop = new AbortController();
    const following = follow(of, { signal: stop.signal });
    await until(() => asked(of) !== undefined);
    expect([...of.values.keys()].filter((name) => name.includes('dead'))).toEqual([]);
    stop.abort(new Error('Ctrl-C'));
    await expect(following).rejects.toThrow('Ctrl-C');
    expect([...of.values.keys()]).toEqual([]);
  });
});
