/**
 * Judges how often one row of a table without a key stands in the mirror: as `judge.ts` does for a key, with a count in the
 * place of the row. What the source's snapshot counts, plus what later events bring and take, is what a right mirror
 * holds at one of the positions between what was acknowledged and what `changes` has.
 */

/** What an event brings or takes of a row; a truncate (t) leaves none. */
export interface CountEvent {
  readonly op: string;
  readonly by: number;
  /** The partition it is in. */
  readonly place: string;
  readonly offset: number;
  /** The snapshot does not see its transaction. */
  readonly hidden: boolean;
  /** It was acknowledged before the mirror was read. */
  readonly certain: boolean;
}

export interface CountJudgement {
  readonly equal: boolean;
  /** How often the mirror should have the row now. */
  readonly expected: number;
  readonly moved: number;
}

/** @param events of the row in their order, those of one offset beside each other */
export function judgeCount(source: number, mirror: number, events: readonly CountEvent[]): CountJudgement {
  const later = joined(events.filter(({ hidden, op }) => hidden && op !== 'r'));
  const places = Map.groupBy(later, ({ place }) => place);
  // Partitions are written side by side, so each may have come any way; a truncate is ordered against all of them.
  const apart = later.some(({ op }) => op === 't') ? [later] : [...places.values()];
  let possible = new Set([source]);
  for (const own of apart) possible = new Set([...possible].flatMap((count) => countsAlong(count, own)));
  const expected = later.reduce(after, source);
  return { equal: possible.has(mirror), expected, moved: later.length };
}

/** An update that leaves the row as it is takes and brings it at one offset. */
function joined(events: readonly CountEvent[]): CountEvent[] {
  const one: CountEvent[] = [];
  for (const event of events) {
    const last = one.at(-1);
    if (last !== undefined && last.place === event.place && last.offset === event.offset)
      one[one.length - 1] = { ...event, by: last.by + event.by };
    else one.push(event);
  }
  return one.filter(({ by, op }) => by !== 0 || op === 't');
}

function after(count: number, { op, by }: CountEvent): number {
  return op === 't' ? 0 : count + by;
}

/** The counts after what is certain, and after each event that may follow. */
function countsAlong(from: number, events: readonly CountEvent[]): number[] {
  const counts = [from];
  for (const event of events) counts.push(after(counts.at(-1) ?? from, event));
  return counts.slice(events.findLastIndex(({ certain }) => certain) + 1);
}
