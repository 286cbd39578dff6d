/** What a partition does while no block comes: it acknowledges what is written, and rests. */
export interface Idleness {
  /** A block was written: the time without one begins anew. */
  begin(): void;
  /** A block was written whose end is not acknowledged yet. */
  announced(end: number): void;
  /** Everything below is written. */
  settled(): number;
  /** This was acknowledged by another hand of this process. */
  acknowledged(end: number): void;
  /** The end of the last block written, if it is not acknowledged; else null. */
  unacknowledged(): number | null;
  /** Acknowledges or rests; true when a drained delivery has nothing left to do. */
  spend(lastCut: number): Promise<boolean>;
}
