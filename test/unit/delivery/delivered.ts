/** Deliveries of a partition in a world of the test; each is let go of after its test. */
import { deliverPartition, type PartitionDelivery, type PartitionOptions } from '../../../src/delivery/partition';
import { KEEP_ALL, LIMITS, offsetsOf, until, type World } from './fakes';
import { TOPIC } from './wire';

const begun: PartitionDelivery[] = [];
afterEach(async () => {
  for (const delivery of begun.splice(0)) {
    delivery.abandon();
    await delivery.ended;
  }
});

export interface Delivered {
  readonly delivery: PartitionDelivery;
  /** What would end the service. */
  readonly fatal: unknown[];
}

export function deliver(world: World, more: Partial<PartitionOptions> = {}): Delivered {
  const fatal: unknown[] = [];
  const delivery = deliverPartition({
    of: TOPIC,
    epoch: 1,
    ports: world.ports,
    limits: LIMITS,
    filter: KEEP_ALL,
    onFatal: (error) => void fatal.push(error),
    replay: () => null,
    paused: () => false,
    remake: () => Promise.resolve(),
    after: Promise.resolve(),
    ...more,
  });
  begun.push(delivery);
  return { delivery, fatal };
}

/** The same, once it reads. */
export async function started(world: World, more: Partial<PartitionOptions> = {}): Promise<Delivered> {
  const found = deliver(world, more);
  await until(() => world.startedAt >= 0);
  return found;
}

/** Offsets inserted into `changes`, insert by insert. */
export function inserted(world: World): number[][] {
  return [...world.written]
    .filter(([token]) => token.startsWith('changes:'))
    .map(([, { insert }]) => offsetsOf(insert));
}
