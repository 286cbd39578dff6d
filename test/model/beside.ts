/** Work of a partition's owner beside its blocks, in the model: a row that somebody took out of the mirror is put back from `changes`. */
import type { Request } from './clickhouse';
import { ABSENT } from './history';
import { truthOf } from './truth';
import { GUARD_TICKS, REDO_TICKS, type World } from './world';

export type Outcome = 'going' | 'done' | 'fenced' | 'reassign';

export interface Owner {
  readonly partition: number;
  /** The UUID of `changes` that it was assigned for. */
  readonly target: number;
  readonly say: (text: () => string) => void;
  /** Commits what is settled; with the mark, or without. */
  readonly commit: (settling: boolean) => 'ok' | 'fenced' | 'none';
  /** Whether the answer is still waited for. */
  readonly waitsOn: (request: Request) => boolean;
}

/** A key of the partition that is missing by another hand, if there is one. */
export function spoiltKey(world: World, partition: number): number | null {
  for (const key of world.spoilt) {
    if (key % world.visible.length !== partition || world.clickhouse.mirror.count(key) > 0) continue;
    const truth = truthOf(world, { ...nothing(partition), key });
    if (truth !== null && truth.row !== ABSENT) return key;
  }
  return null;
}

const nothing = (partition: number) => ({ partition, from: 0, to: 0, redelivered: null, stands: ABSENT });

/** One repair, in small steps: mark, look and insert, take the mark away. */
export class Repair {
  private readonly world: World;
  private readonly owner: Owner;
  private step: 'mark' | 'insert' | 'unmark' = 'mark';
  private request: Request | null = null;

  constructor(world: World, owner: Owner) {
    this.world = world;
    this.owner = owner;
  }

  go(): Outcome {
    switch (this.step) {
      case 'mark':
        return this.commit(true, () => this.look());
      case 'insert':
        return this.insert();
      case 'unmark':
        return this.commit(false, () => 'done');
    }
  }

  /** The same words again while there is no answer. */
  private commit(settling: boolean, then: () => Outcome): Outcome {
    const outcome = this.owner.commit(settling);
    if (outcome === 'ok') return then();
    return outcome === 'fenced' ? 'fenced' : 'going';
  }

  private look(): Outcome {
    const { world } = this;
    const { partition, target } = this.owner;
    const key = spoiltKey(world, partition);
    const truth = key === null ? null : truthOf(world, { ...nothing(partition), key });
    this.step = 'unmark';
    if (key === null || truth === null) return 'going';
    this.request = world.send({
      ...{ kind: 'mirror', partition, target, records: [], redelivered: [], below: -1, mends: key },
      token: (++world.blocks * 2 + partition) * 128 * 128 - 1,
      deadline: world.clickhouse.clock + GUARD_TICKS,
      longest: REDO_TICKS,
      table: world.clickhouse.mirror.uuid,
      signed: [{ key, sign: 1, row: truth.row, offset: truth.offset }],
    });
    this.owner.say(() => `puts key ${key} back`);
    this.step = 'insert';
    return 'going';
  }

  private insert(): Outcome {
    const { request } = this;
    if (request === null) return 'reassign';
    if (request.answer === 'none' && this.owner.waitsOn(request)) return 'going';
    if (request.answer !== 'ok') return 'reassign';
    this.step = 'unmark';
    return 'going';
  }
}
