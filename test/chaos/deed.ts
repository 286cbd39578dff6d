/** One thing that is done at a random moment. */
export interface Deed {
  readonly name: string;
  /** How often it is chosen, beside the weights of the others. */
  readonly weight: number;
  /** What nothing else may be done to meanwhile. */
  readonly needs: readonly string[];
  run(): Promise<void>;
}
