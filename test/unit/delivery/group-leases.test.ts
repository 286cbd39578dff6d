/** Leases of tables between processes, over a `control` in memory with a clock that the test moves. */
import type { ControlValue } from '../../../src/clickhouse/control';
import { createHolder, takeTable, type LeasePorts } from '../../../src/delivery/group-leases';
import { announceRepair, waitForRepairs } from '../../../src/delivery/repair-notice';
import { ServiceError } from '../../../src/errors';
import type { GroupMember } from '../../../src/kafka/log';

const P0 = { topic: 't', partition: 0 };
const P1 = { topic: 't', partition: 1 };
const WIDE = { table: 'public.wide', shadow: 'wide__mirror__new_1', places: [P0, P1] };

interface Process {
  readonly ports: LeasePorts;
  epoch: number;
  /** Tables that blocks must wait for now. */
  readonly alone: Set<string>;
}

/** A group: its `control`, its shadows, and what the broker says of its members. */
function groupOf(assignment: Record<string, GroupMember['partitions']>) {
  const values = new Map<string, { value: string; at: number }>();
  const clock = { ms: 0 };
  const shadows = new Set([WIDE.shadow]);
  const broker: { members: GroupMember[] | null } = {
    members: Object.entries(assignment).map(([memberId, partitions]) => ({ memberId, partitions })),
  };
  const control = {
    get: async (name: string) => values.get(name)?.value ?? null,
    set: async (name: string, value: string) => void values.set(name, { value, at: clock.ms }),
    newest: async (prefix: string): Promise<ControlValue[]> =>
      [...values]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { value, at }]) => ({ name, value, ageMs: clock.ms - at })),
    forget: async (prefix: string) => {
      for (const name of values.keys()) if (name.startsWith(prefix)) values.delete(name);
    },
  };
  const sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    const until = clock.ms + ms;
    while (clock.ms < until) {
      signal.throwIfAborted();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const member = (memberId: string): Process => {
    const alone = new Set<string>();
    const of: Process = {
      epoch: 1,
      alone,
      ports: {
        control,
        log: { epoch: () => of.epoch, memberId: () => memberId, members: async () => broker.members },
        processId: `process of ${memberId}`,
        dropShadow: async (name) => void shadows.delete(name),
        async alone(table, action) {
          alone.add(table);
          try {
            return await action();
          } finally {
            alone.delete(table);
          }
        },
        sleep,
        emit: () => undefined,
        giveUp: new AbortController().signal,
      },
    };
    return of;
  };
  const pass = async (ms: number): Promise<void> => {
    for (const until = clock.ms + ms; clock.ms < until; clock.ms += 50)
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { control, values, clock, shadows, broker, member, pass, sleep };
}

const never = new AbortController().signal;

describe('a table that is taken', () => {
  it('is had once every other owner holds still, and given back when the lease ends', async () => {
    const group = groupOf({ a: [P0], b: [P1] });
    const [a, b] = [group.member('a'), group.member('b')];
    const over = new AbortController();
    const holder = createHolder(b.ports, over.signal);
    const taken = { yet: false };
    const taking = takeTable(WIDE, a.ports, never).then((lease) => ((taken.yet = true), lease));
    await group.pass(1_000);
    expect(taken.yet).toBe(false);
    await holder.look();
    await group.pass(1_000);
    expect(taken.yet).toBe(true);
    expect([...b.alone]).toEqual(['public.wide']);
    const released = (await taking).release();
    await group.pass(3_000);
    await released;
    await holder.ended();
    expect(b.alone.size).toBe(0);
    expect([...group.values.keys()]).toEqual([]);
  });

  it('is had at once by the only owner, but not while the group is not at rest', async () => {
    const group = groupOf({ a: [P0, P1] });
    const a = group.member('a');
    const { members } = group.broker;
    group.broker.members = null;
    const taken = { yet: false };
    const taking = takeTable(WIDE, a.ports, never).then((lease) => ((taken.yet = true), lease));
    await group.pass(2_000);
    expect(taken.yet).toBe(false);
    group.broker.members = members;
    await group.pass(1_000);
    expect(taken.yet).toBe(true);
    const released = (await taking).release();
    await group.pass(3_000);
    await released;
  });

  it('is not had where the broker gave a partition to a member that does not hold', async () => {
    const group = groupOf({ a: [P0], c: [P1] });
    const [a, b] = [group.member('a'), group.member('b')];
    const over = new AbortController();
    const holder = createHolder(b.ports, over.signal);
    const taking = takeTable(WIDE, a.ports, never).catch((error: unknown) => error);
    await group.pass(500);
    await holder.look();
    await group.pass(100_000);
    expect(await taking).toMatchObject({ code: 'FENCED' });
    over.abort(new Error('over'));
    await group.pass(1_000);
    await holder.ended();
    expect([...group.values.keys()]).toEqual([]);
  });

  it('is not had by a process whose assignment ended meanwhile', async () => {
    const group = groupOf({ a: [P0], b: [P1] });
    const a = group.member('a');
    const taking = takeTable(WIDE, a.ports, never).catch((error: unknown) => error);
    await group.pass(500);
    a.epoch++;
    await group.pass(3_000);
    expect(await taking).toBeInstanceOf(ServiceError);
  });

  it.each([
    ['its lease is not renewed any more', () => undefined, 20_000],
    ["the holder's own assignment ends", (holder: Process) => void holder.epoch++, 2_000],
  ])('is written to again only after the shadow is dropped, when %s', async (_, happens, afterMs) => {
    const group = groupOf({ a: [P0], b: [P1] });
    const b = group.member('b');
    const over = new AbortController();
    const holder = createHolder(b.ports, over.signal);
    // A coordinator that was stopped: nobody renews this.
    const lease = { table: WIDE.table, shadow: WIDE.shadow, process: 'stopped' };
    await group.control.set('table:lease:1', JSON.stringify(lease));
    await holder.look();
    await group.pass(2_000);
    expect([b.alone.size, group.shadows.size]).toEqual([1, 1]);
    happens(b);
    await group.pass(afterMs);
    expect([b.alone.size, group.shadows.size]).toEqual([0, 0]);
    await holder.ended();
  });
});

describe('a repair', () => {
  const notice = (group: ReturnType<typeof groupOf>, memberId: string) => ({
    ...group.member(memberId).ports,
    insertSeconds: 5,
  });

  it('is waited for by who takes over, until nothing of it can land', async () => {
    const group = groupOf({ a: [P0], b: [P1] });
    const finish = Promise.withResolvers<null>();
    const repairing = announceRepair([P0], notice(group, 'a'), never, () => finish.promise);
    await group.pass(500);
    const begun = { yet: false };
    const waiting = waitForRepairs(notice(group, 'b'), never).then(() => (begun.yet = true));
    await group.pass(30_000);
    expect(begun.yet).toBe(false);
    await group.pass(6_000);
    await waiting;
    finish.resolve(null);
    await repairing;
  });

  it('that has ended is not waited for any longer', async () => {
    const group = groupOf({ a: [P0], b: [P1] });
    const finish = Promise.withResolvers<null>();
    const repairing = announceRepair([P0], notice(group, 'a'), never, () => finish.promise);
    await group.pass(500);
    const waiting = waitForRepairs(notice(group, 'b'), never);
    finish.resolve(null);
    await repairing;
    await group.pass(1_000);
    await waiting;
    expect(group.clock.ms).toBeLessThan(5_000);
  });

  it('of a partition that the broker gave to another is not begun', async () => {
    const group = groupOf({ b: [P0] });
    const done = { any: false };
    const repairing = announceRepair([P0], notice(group, 'a'), never, async () => (done.any = true)).catch(
      (error: unknown) => error,
    );
    await group.pass(12_000);
    expect(await repairing).toMatchObject({ code: 'FENCED' });
    expect(done.any).toBe(false);
    expect([...group.values.keys()]).toEqual([]);
  });
});
