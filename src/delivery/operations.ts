/** What the commands for operating ask of the owners of partitions, beside replay and rebuild. */
import { WHOLE_QUARANTINE, type QuarantineFilter } from '../clickhouse/quarantine';
import type { TopicPartition } from '../model';
import type { Delivery } from './delivery';
import { forgetKeys, type ForgetRequest, type ForgetTools } from './forget';
import type { PauseWatch } from './pauses';
import { retryQuarantine, type Retried, type RetryTools } from './retry-quarantine';

export interface RetryRequest {
  readonly filter: Partial<QuarantineFilter>;
  readonly who: string;
}

/** How it went; an answer to the request. */
export type Outcome =
  { readonly state: 'done'; readonly counts: Readonly<Record<string, number>> } | { readonly state: 'not-mine' };

export interface Operations {
  retry(request: RetryRequest): Promise<Outcome>;
  forget(request: ForgetRequest): Promise<Outcome>;
  /** Reads the orders to hold anew; done when the partitions that hold have written what they had begun. */
  hold(): Promise<Outcome>;
}

export function createOperations(of: {
  readonly delivery: Pick<Delivery, 'between'>;
  readonly retrying: RetryTools;
  readonly forgetting: ForgetTools;
  readonly pauses: Pick<PauseWatch, 'look' | 'isPaused'>;
}): Operations {
  const { delivery, retrying, forgetting, pauses } = of;
  return {
    async retry({ filter: some, who }) {
      const filter: QuarantineFilter = { ...WHOLE_QUARANTINE, ...some };
      const concerns = ({ topic, partition }: TopicPartition): boolean =>
        [filter.topic, filter.place?.topic].every((one) => one === undefined || one === null || one === topic) &&
        (filter.place === null || filter.place.partition === partition);
      const found = await delivery.between(concerns, (at) => retryQuarantine(filter, who, at, retrying));
      if (found.length === 0) return { state: 'not-mine' };
      const sum = (name: keyof Retried): number => found.reduce((all, one) => all + one[name], 0);
      const counts = { applied: sum('applied'), skipped: sum('skipped'), still: sum('still'), gone: sum('gone') };
      return { state: 'done', counts };
    },
    async forget(request) {
      const places = await forgetting.eraser.places(request);
      const concerns = (of: TopicPartition): boolean =>
        places.some(({ topic, partition }) => topic === of.topic && partition === of.partition);
      const found = await delivery.between(concerns, (at) => forgetKeys(request, at, forgetting));
      if (found.length === 0) return { state: 'not-mine' };
      const sum = (name: 'events' | 'quarantined'): number => found.reduce((all, one) => all + one[name], 0);
      return {
        state: 'done',
        counts: { partitions: found.length, events: sum('events'), quarantined: sum('quarantined') },
      };
    },
    async hold() {
      await pauses.look();
      const held = await delivery.between(
        ({ topic }) => pauses.isPaused(topic),
        () => Promise.resolve(),
      );
      return { state: 'done', counts: { held: held.length } };
    },
  };
}
