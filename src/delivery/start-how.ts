/** What the log says of how a partition started. */
import type { StartHow } from '../events';
import type { Beginning } from './assign';

export const START_HOW: Readonly<Record<Beginning['how'], StartHow>> = {
  first: 'first start',
  ours: 'idle',
  announced: 'announced',
  replaced: 'replaced target',
  hand: 'foreign commit',
  expired: 'expired, reconciled',
  accepted: 'accepted loss',
  replay: 'replay',
};
