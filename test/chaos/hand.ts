/** The seeded hand: at random moments it kills, freezes, stalls, cuts, holds back, rewinds and replays, and heals what it broke. */
import { setTimeout as pause } from 'node:timers/promises';
import type { PartName } from '../../stack/state';
import { waitFor } from '../harness/wait-for';
import type { World } from '../harness/world';
import type { Consumer } from './consumers';
import type { Deed } from './deed';
import { operatorDeeds } from './operator';
import type { Random } from './random';
import type { Traits } from './traits';

export interface HandReport {
  /** How often each thing was done. */
  readonly done: Readonly<Record<string, number>>;
  /** What went wrong in doing it; a fault of the suite or of a part, or a service that did not stop. */
  readonly trouble: readonly string[];
}

export interface Hand {
  /** Heals everything and ends; all consumers and parts run afterwards. */
  stop(): Promise<HandReport>;
}

export interface HandOptions {
  readonly world: World;
  readonly consumers: readonly Consumer[];
  readonly random: Random;
  readonly traits: Traits;
  /** Writes a line of the timeline. */
  readonly tell: (line: string) => void;
}

const TOPICS = /\.public\./;

export function startHand({ world, consumers, random, tell, traits }: HandOptions): Hand {
  const over = new AbortController();
  const done: Record<string, number> = {};
  const trouble: string[] = [];
  const busy = new Set<string>();
  const running = new Set<Promise<void>>();
  let partsKilled = 0;
  const count = (name: string): void => {
    done[name] = (done[name] ?? 0) + 1;
  };

  /** Random, but no longer than the hand goes on. */
  const aWhile = (fromMs: number, toMs: number): Promise<unknown> =>
    pause(random.between(fromMs, toMs), undefined, { signal: over.signal }).catch(() => undefined);

  const stopHard = (part: PartName): Promise<void> =>
    world.stack.stopPart(part, part === 'postgres' && random.chance(50) ? 'SIGQUIT' : 'SIGKILL');

  /** Sometimes a second part goes with it. One restart at a time: the state file of the parts has one writer. */
  const restart = async (part: PartName): Promise<void> => {
    const others = (['clickhouse', 'connect', 'postgres'] as const).filter((other) => other !== part);
    const parts = random.chance(30) ? [part, random.pick(others)] : [part];
    if (parts.length > 1) tell(`  together with ${parts[1]}`);
    partsKilled++;
    for (const one of parts) await stopHard(one);
    await aWhile(0, 4_000);
    for (const one of parts) await world.stack.startPart(one);
  };

  const everyone = consumers.map(({ number }) => `consumer ${number}`);

  /** What resets offsets needs a group without members. */
  const withoutMembers = async (use: () => Promise<void>): Promise<void> => {
    await Promise.all(
      consumers.map((consumer) => (random.chance(50) ? consumer.kill() : consumer.stop().then(() => undefined))),
    );
    await waitFor(
      async () => {
        const [group] = (await world.topics.admin.describeGroups([world.name])).groups;
        return group?.state === 'Empty' || group?.state === 'Dead';
      },
      'the group is empty',
      90_000,
    );
    await use();
    for (const consumer of consumers) await consumer.start();
  };

  const resetOffsets = async (): Promise<void> => {
    for (const topic of (await world.topics.names(world.name)).filter((one) => TOPICS.test(one))) {
      for (const { partition, high } of await world.topics.admin.fetchTopicOffsets(topic)) {
        if (!random.chance(35)) continue;
        const offset = random.below(Number(high) + 1);
        const partitions = [{ partition, offset: String(offset) }];
        await world.topics.admin.setOffsets({ groupId: world.name, topic, partitions });
        tell(`  the offset of ${topic}:${partition} is set to ${offset} of ${high}`);
      }
    }
  };

  const parts: readonly PartName[] = [
    ...(['clickhouse', 'kafka', 'connect', 'postgres'] as const),
    ...(traits.wire === 'avro' ? (['registry'] as const) : []),
  ];
  const ofParts: readonly Deed[] = parts.map((part) => ({
    name: `kill -9 ${part}`,
    weight: part === 'registry' ? 2 : 4,
    // The broker coordinates the group, so nothing that waits for the group is done beside it.
    needs: part === 'kafka' ? ['parts', 'group'] : ['parts'],
    run: () => restart(part),
  }));

  const ofConsumer = (consumer: Consumer): readonly Deed[] => {
    const me = `consumer ${consumer.number}`;
    const { clickhouse, kafka } = consumer.proxies;
    const deed = (name: string, weight: number, run: () => Promise<void>): Deed => ({ name, weight, needs: [me], run });
    const stalled = async (proxy: typeof clickhouse): Promise<void> => {
      proxy.stall();
      await aWhile(500, 9_000);
      proxy.resume();
    };
    const froze = async (fromMs: number, toMs: number): Promise<void> => {
      consumer.signal('SIGSTOP');
      // A consumer that stays stopped would never end, so this pause is not cut short.
      await pause(random.between(fromMs, toMs));
      consumer.signal('SIGCONT');
    };
    return [
      deed('kill -9 a consumer', 8, async () => {
        await consumer.kill();
        await aWhile(0, 3_000);
        await consumer.start();
      }),
      deed('stop a consumer', 2, async () => {
        const kills = busy.has('parts') ? -1 : partsKilled;
        const hadBegun = consumer.hasBegun();
        const code = await consumer.stop();
        // 8, the deadline has passed, is the right end where a part that it needs was away.
        if (code === 8 && kills !== partsKilled) tell('  its deadline passed while parts were away');
        // The signal ends a process that is still loading, as it does any; it has nothing in hand.
        else if (code === null && !hadBegun) tell('  it had not begun yet');
        else if (code !== 0)
          trouble.push(`consumer ${consumer.number} was asked to stop and ended with ${String(code)}`);
        await aWhile(0, 8_000);
        await consumer.start();
      }),
      deed('freeze a consumer beyond its session', 4, () => froze(7_000, 12_000)),
      deed('freeze a consumer beyond its guard', 3, () => froze(2_100, 5_000)),
      deed('stall ClickHouse', 3, () => stalled(clickhouse)),
      deed('stall Kafka', 3, () => stalled(kafka)),
      deed('cut ClickHouse', 3, async () => clickhouse.cut()),
      deed('cut Kafka', 3, async () => kafka.cut()),
      deed('lose answers of inserts', 4, async () => {
        const before = clickhouse.lostAnswers();
        clickhouse.loseAnswers(random.between(1, 3));
        await aWhile(2_000, 4_000);
        clickhouse.loseAnswers(0);
        tell(`  ${clickhouse.lostAnswers() - before} answers of inserts were lost`);
      }),
      deed('lose answers of commits', 3, async () => {
        kafka.loseAnswers(random.between(1, 3));
        await aWhile(2_000, 4_000);
        kafka.loseAnswers(0);
      }),
      deed('let an insert arrive late', 5, async () => {
        const late = clickhouse.holdNext();
        await Promise.race([late.held, pause(3_000)]);
        if (late.isHeld() && random.chance(60)) {
          await consumer.kill();
          await consumer.start();
        }
        await aWhile(500, 6_000);
        const was = late.isHeld();
        const answer = await Promise.race([late.release(), pause(5_000, 'no answer')]);
        tell(`  ${was ? `a late insert arrived: ${answer.slice(0, 15)}` : 'no insert came to be held'}`);
      }),
      deed('replay', 3, async () => {
        await consumer.kill();
        await consumer.start(['--from-beginning']);
      }),
    ];
  };

  const deeds: readonly Deed[] = [
    ...ofParts,
    ...operatorDeeds({ world, random, tell, count, over: over.signal }),
    ...consumers.flatMap((consumer) =>
      ofConsumer(consumer).map((deed) => ({ ...deed, weight: deed.weight / consumers.length })),
    ),
    {
      name: 'reset offsets',
      weight: 5,
      needs: [...everyone, 'group'],
      run: () => withoutMembers(resetOffsets),
    },
    {
      name: 'kill -9 all consumers',
      weight: consumers.length > 1 ? 2 : 0,
      needs: everyone,
      async run() {
        await Promise.all(consumers.map((consumer) => consumer.kill()));
        await aWhile(0, 2_000);
        for (const consumer of consumers) await consumer.start();
      },
    },
  ];

  const begin = (deed: Deed): Promise<void> => {
    tell(
      deed.name +
        (deed.needs[0]?.startsWith('consumer') === true && deed.needs.length === 1 ? ` (${deed.needs[0]})` : ''),
    );
    count(deed.name);
    for (const need of deed.needs) busy.add(need);
    const work: Promise<void> = deed
      .run()
      .then(() => tell(`  done: ${deed.name}`))
      .catch((error: unknown) => {
        trouble.push(`${deed.name}: ${error instanceof Error ? error.message : 'unknown'}`);
      })
      .finally(() => {
        for (const need of deed.needs) busy.delete(need);
        running.delete(work);
      });
    running.add(work);
    return work;
  };

  const loop = async (): Promise<void> => {
    await aWhile(500, 2_000);
    while (!over.signal.aborted) {
      const free = deeds.filter(({ needs, weight }) => weight > 0 && !needs.some((need) => busy.has(need)));
      if (free.length > 0 && running.size < 3) {
        const work = begin(random.weighted(free));
        // Mostly one thing after the other; sometimes the next begins while this one is not healed.
        if (!random.chance(35)) await Promise.race([work, aWhile(8_000, 8_000)]);
      }
      await aWhile(300, 4_000);
    }
  };
  const looping = loop();

  return {
    async stop() {
      over.abort();
      await looping;
      await Promise.all(running);
      for (const part of ['postgres', 'clickhouse', 'kafka', 'registry', 'connect'] as const)
        await world.stack.startPart(part);
      return { done, trouble };
    },
  };
}
