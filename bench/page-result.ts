/** What `make bench-page` found, as it is written down. */
import type { Seen } from './page-audience';
import type { Spread } from './statistics';

/** A figure without viewers, with them, and the one by the other of each pair: what else the machine did counts for both. */
export interface Compared {
  readonly figure: string;
  readonly unit: string;
  readonly alone: Spread;
  readonly watched: Spread;
  readonly ratio: Spread;
}

export interface PageResult {
  readonly machine: string;
  readonly commit: string;
  readonly of: string;
  readonly repeat: number;
  readonly compared: readonly Compared[];
  /** What the viewers cost the service while they look, as a share of one core: its work is the same, so the rest is theirs. */
  readonly cost: Spread;
  readonly seen: readonly Seen[];
}
