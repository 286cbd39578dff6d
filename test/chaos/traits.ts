/** What a seed runs on, besides what is done to it. */
import { PROFILES, type Profile } from '../../src/connect/profile';
import { randomOf } from './random';

export interface Traits {
  /** How records are written. */
  readonly wire: Profile;
  /** Of each topic of a table. */
  readonly partitions: number;
  /** Connect runs without its exactly-once, so that what it had sent comes again under new offsets after a kill. */
  readonly sendsTwice: boolean;
}

const SENDS_TWICE_PERCENT = 40;
const SPREAD_PERCENT = 25;

/** Of a hundred seeds 40 have a Connect that sends again, 25 topics with three partitions; a third each wire. */
export function traitsOf(seed: number): Traits {
  const random = randomOf(seed, 'traits');
  return {
    wire: random.pick(PROFILES),
    partitions: random.chance(SPREAD_PERCENT) ? 3 : 1,
    sendsTwice: randomOf(seed, 'connect').chance(SENDS_TWICE_PERCENT),
  };
}

/** For the timeline and the list of results. */
export function describeTraits({ wire, partitions, sendsTwice }: Traits): string {
  return [wire, `${partitions} partitions a table`, ...(sendsTwice ? ['Connect sends again'] : [])].join(', ');
}
