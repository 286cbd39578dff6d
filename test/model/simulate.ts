/** One seeded life of the service: processes that crash, freeze and thaw, a hand, a broker, and ClickHouse, in small steps. */
import { Delivery, type Prepare } from './process';
import { prepare } from './prepare';
import { seeded, type Random } from './random';
import { rulesWithout, type Rules } from './rules';
import { GUARD_TICKS, requestText, Violation, World, type Promised } from './world';

export interface Outcome {
  readonly broken: Promised | null;
  readonly message: string;
  readonly steps: number;
  /** What happened, for the tests of the model itself. */
  readonly stopped: string | null;
}

export interface Told {
  readonly outcome: Outcome;
  readonly trace: readonly string[];
}

interface Member {
  readonly name: string;
  alive: boolean;
  frozen: boolean;
  deliveries: Delivery[];
}

const MOST_STEPS = 900;

class Simulation {
  readonly world: World;
  steps = 0;
  private readonly random: Random;
  private readonly members: Member[];
  private readonly prepare: Prepare;
  /** What happens to this seed's world beside crashes: few kinds at once, so that each meets quiet moments too. */
  private readonly hand: boolean;
  private readonly expires: boolean;
  private readonly drops: boolean;
  /** Somebody takes rows out of the mirror, and they are put back beside the blocks. */
  private readonly spoils: boolean;
  /** How much more often processes go on than requests: the higher, the later what was sent arrives. */
  private readonly slowness: number;

  constructor(world: World, prepare: Prepare) {
    this.world = world;
    this.prepare = prepare;
    this.random = world.random;
    const count = 2 + this.random.below(2);
    this.members = Array.from({ length: count }, (_, at) => ({
      name: 'ABC'[at]!,
      alive: true,
      frozen: false,
      deliveries: [],
    }));
    this.hand = this.random.chance(40);
    this.expires = this.random.chance(15);
    this.drops = this.random.chance(25);
    this.slowness = this.random.below(3) * 9;
    this.spoils = world.beside.chance(15);
  }

  /** Yields what must be waited for before the next step. */
  *run(): Generator<Promise<void>, void> {
    const { world } = this;
    const wanted = 60 + this.random.below(100);
    this.rebalance();
    while (this.steps < wanted && world.stopped === null) {
      this.steps++;
      this.step();
      if (world.pending !== null) yield world.pending;
      world.pending = null;
    }
    if (world.stopped === null) yield* this.rest();
  }

  private step(): void {
    const choice = this.random.below(100);
    if (choice < 12) this.produce();
    else if (choice < 62 + this.slowness) this.goOn();
    else if (choice < 87) this.advanceRequest(4);
    else if (choice < 90) this.world.clickhouse.mirror.mergeSome(this.random);
    else this.fault();
  }

  private goOn(): void {
    const able = this.members.filter(({ alive, frozen, deliveries }) => alive && !frozen && deliveries.length > 0);
    if (able.length === 0) return this.rebalance();
    const member = able[this.random.below(able.length)]!;
    const delivery = member.deliveries[this.random.below(member.deliveries.length)]!;
    if (!delivery.go()) this.leave(member);
  }

  /** A member that was told that it is none drops what it did. Its requests go on. */
  private leave(member: Member): void {
    member.deliveries = [];
  }

  private produce(): void {
    const { world } = this;
    const partition = this.random.below(world.visible.length);
    if (world.visible[partition]! < world.history.logs[partition]!.key.length) world.visible[partition]!++;
  }

  private advanceRequest(lossPercent: number): void {
    const { requests } = this.world.clickhouse;
    if (requests.length === 0) return;
    const at = this.random.below(requests.length);
    const request = requests[at]!;
    if (this.random.chance(lossPercent)) {
      request.state = 'done';
      this.world.say(() => `lost on the way: ${requestText(request)}`);
    } else this.world.advance(request);
    if (request.state === 'done') requests.splice(at, 1);
  }

  private fault(): void {
    const { random, world } = this;
    const member = this.members[random.below(this.members.length)]!;
    const choice = random.below(20);
    if (choice < 4) this.crash(member);
    else if (choice < 7) this.freeze(member);
    else if (choice < 11) this.thaw(member);
    else if (choice < 14) this.rebalance();
    else if (choice < 15) world.clickhouse.clock += 1 + random.below(8);
    else if (choice < 18 && this.hand) this.reset();
    else if (choice < 19 && this.expires) this.expire();
    else if (this.drops) this.drop();
    if (this.spoils && world.beside.chance(30) && this.nothingOnItsWay()) world.spoil();
  }

  /** A late insert beside a spoilt row is another matter: what is written then is not what was looked at. */
  private nothingOnItsWay(): boolean {
    const begun = this.members.some(({ deliveries }) => deliveries.some(({ isWriting }) => isWriting));
    return !begun && this.world.clickhouse.requests.length === 0;
  }

  private crash(member: Member): void {
    if (!member.alive) return;
    member.alive = false;
    member.deliveries = [];
    this.world.say(() => `${member.name} crashes`);
  }

  private freeze(member: Member): void {
    if (!member.alive || member.frozen) return;
    member.frozen = true;
    this.world.say(() => `${member.name} freezes`);
  }

  private thaw(member: Member): void {
    if (member.alive && !member.frozen) return;
    this.world.say(() => `${member.name} ${member.alive ? 'thaws' : 'is started again'}`);
    member.alive = true;
    member.frozen = false;
  }

  /** Members that answer get the partitions; who does not is one no longer, and does not know it. */
  private rebalance(): void {
    const { world, random } = this;
    const able = this.members.filter(({ alive, frozen }) => alive && !frozen);
    if (able.length === 0) return this.thaw(this.members[random.below(this.members.length)]!);
    world.generation++;
    for (const member of able) member.deliveries = [];
    for (const partition of world.visible.keys()) {
      const member = able[random.below(able.length)]!;
      const { name } = member;
      member.deliveries.push(
        new Delivery(world, partition, { generation: world.generation, name, prepare: this.prepare }),
      );
      world.say(() => `generation ${world.generation}: ${name} owns partition ${partition}`);
    }
  }

  /** A hand moves a partition's offset, which Kafka allows only while the group has no member; or Kafka forgets the group. */
  private reset(): void {
    const { world, random } = this;
    for (const member of this.members) {
      if (random.chance(50)) this.crash(member);
      else this.freeze(member);
    }
    world.generation++;
    const partition = random.below(world.visible.length);
    const to = random.below(world.history.logs[partition]!.key.length + 2);
    // Kafka forgets a group that was idle for days: whatever was under way then is too late.
    const forgotten = random.chance(15);
    if (forgotten && world.rules.firstNotForgotten) world.clickhouse.clock += 10 * GUARD_TICKS;
    world.committed[partition] = forgotten ? null : { offset: world.offsetAt(partition, to), metadata: '' };
    world.say(() => `a hand sets the offset of partition ${partition}: ${JSON.stringify(world.committed[partition])}`);
  }

  private expire(): void {
    const { world, random } = this;
    const partition = random.below(world.visible.length);
    const { oldest, visible } = world;
    oldest[partition] = Math.max(oldest[partition]!, random.below(visible[partition]! + 1));
    world.say(() => `partition ${partition} begins at record ${oldest[partition]} now`);
  }

  private drop(): void {
    const { world, random } = this;
    if (random.chance(50)) {
      world.say(() => 'changes and the mirror are dropped and made again');
      world.dropAll();
    } else {
      world.say(() => 'the mirror is dropped and built again from changes');
      world.rebuildMirror();
    }
  }

  /** No more faults: everybody thaws, every request arrives, one process takes over and finishes. */
  private *rest(): Generator<Promise<void>, void> {
    const { world } = this;
    this.calm();
    let left = 3 + this.random.below(20);
    while (world.stopped === null && (left >= 0 || !this.done())) {
      if (left === 0) this.rebalance();
      left--;
      if (++this.steps > MOST_STEPS) throw new Violation('REST', 'the service does not come to rest');
      this.calmStep();
      if (world.pending !== null) yield world.pending;
      world.pending = null;
    }
    if (world.stopped === null) world.checkAtRest();
  }

  private calm(): void {
    const { world } = this;
    world.say(() => '--- no more faults ---');
    world.faults = false;
    for (const member of this.members) if (member.frozen) this.thaw(member);
    for (const [partition, log] of world.history.logs.entries()) world.visible[partition] = log.key.length;
    if (!this.members.some(({ alive }) => alive)) this.thaw(this.members[0]!);
  }

  private calmStep(): void {
    const { random } = this;
    if (random.chance(60)) this.goOn();
    else if (random.chance(90)) this.advanceRequest(0);
    else this.world.clickhouse.mirror.mergeSome(random);
  }

  private done(): boolean {
    const { world } = this;
    if (world.clickhouse.requests.length > 0) return false;
    let owned = 0;
    for (const { deliveries } of this.members)
      for (const delivery of deliveries) {
        if (!delivery.isCurrent) continue;
        if (!delivery.atRest) return false;
        owned++;
      }
    return owned === world.visible.length;
  }
}

function outcomeOf({ world, steps }: Simulation, error: unknown): Outcome {
  if (error === null) return { broken: null, message: '', steps, stopped: world.stopped };
  if (!(error instanceof Violation)) throw error as Error;
  return { broken: error.promised, message: error.message, steps, stopped: null };
}

function worldOf(seed: number, rules: Rules, trace: string[] | null): World {
  // One life in eight has a ClickHouse that is killed.
  const kills = seed % 8 === 5 ? seeded(seed ^ 0x1b873593) : null;
  return new World(seeded(seed), rules, {
    ...{ trace, kills },
    beside: seeded(seed ^ 0x5bd1e995),
    early: seeded(seed ^ 0x2545f491),
  });
}

function run(seed: number, rules: Rules, trace: string[] | null): Outcome {
  const simulation = new Simulation(worldOf(seed, rules, trace), prepare);
  try {
    const { done } = simulation.run().next();
    if (done !== true) throw new Error('the model waits for nothing');
  } catch (error) {
    return outcomeOf(simulation, error);
  }
  return outcomeOf(simulation, null);
}

/** Lives the seed's life under these rules. */
export function simulate(seed: number, rules: Rules): Outcome {
  return run(seed, rules, null);
}

/** The same life, told. */
export function tell(seed: number, rules: Rules): Told {
  const trace: string[] = [];
  const outcome = run(seed, rules, trace);
  return { outcome, trace: [...trace, outcome.message] };
}

/** The seed's life with step 0 done by another, such as the service's own code. */
export async function simulateWith(seed: number, prepare: Prepare, trace: string[] | null = null): Promise<Outcome> {
  const simulation = new Simulation(worldOf(seed, rulesWithout(), trace), prepare);
  try {
    for (const pending of simulation.run()) await pending;
  } catch (error) {
    return outcomeOf(simulation, error);
  }
  return outcomeOf(simulation, null);
}
