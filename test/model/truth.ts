/** The truth of a key by `changes` and a block together: what reconcile makes the mirror's row. */
import { OP } from '../../src/model';
import type { ClickHouse } from './clickhouse';
import { ABSENT, pack, vOf, wOf, type History, type Kafkalog } from './history';
import type { Rules } from './rules';

export interface Model {
  readonly rules: Rules;
  readonly history: History;
  readonly clickhouse: ClickHouse;
}

export interface Asked {
  readonly partition: number;
  /** The block in hand: records [from, to), and which of them are sent again; null for no block. */
  readonly from: number;
  readonly to: number;
  readonly redelivered: Uint8Array | null;
  readonly key: number;
  /** The row that stands in the mirror. */
  readonly stands: number;
}

/** The row, and the offset of its event; null if no event is known. */
export function truthOf(model: Model, asked: Asked): { row: number; offset: number } | null {
  const { rules, history } = model;
  const log = history.logs[asked.partition]!;
  const counts = counting(model, asked, true);
  const counted = rules.truthNotRedelivered ? counts : counting(model, asked, false);
  let truncated = -1;
  let truth = -1;
  for (let at = 0; at < log.key.length; at++) {
    if (!counted(at)) continue;
    if (log.op[at] === OP.t) truncated = at;
    else if (log.key[at] === asked.key) truth = at;
  }
  if (truth < 0) return null;
  const offset = log.offset[truth]!;
  if (truncated > truth) return { row: ABSENT, offset };
  const after = log.after[truth]!;
  return { row: log.withheld[truth] ? pack(vOf(after), withheldValue(model, asked, truth, counts)) : after, offset };
}

/** Whether a record is known, and counts: what is sent again may or may not. */
function counting(
  { clickhouse }: Model,
  { partition, from, to, redelivered }: Asked,
  onlyOnce: boolean,
): (at: number) => boolean {
  const audited = clickhouse.changes.partitions[partition]!;
  return (at) => {
    if (redelivered !== null && at >= from && at < to) return !onlyOnce || redelivered[at - from] === 0;
    return audited.count[at]! > 0 && (!onlyOnce || audited.redelivered[at] === 0);
  };
}

/** A withheld w: of the newest older event that has it, else of the row that stands. */
function withheldValue(
  { rules, history }: Model,
  asked: Asked,
  truth: number,
  counts: (at: number) => boolean,
): number {
  const { partition, from, to, key, stands } = asked;
  const log: Kafkalog = history.logs[partition]!;
  const standing = stands === ABSENT ? 0 : wOf(stands);
  if (!rules.withheldFromEvents) return standing;
  const newestBelow = (below: number, lowest: number): number => {
    let at = below - 1;
    while (at >= lowest && (log.key[at] !== key || !counts(at) || log.after[at] === ABSENT || log.withheld[at])) at--;
    return at >= lowest ? at : -1;
  };
  let carrier = rules.newestCarrier ? -1 : newestBelow(Math.min(to, truth), from);
  if (carrier < 0) carrier = newestBelow(truth, 0);
  return carrier < 0 ? standing : wOf(log.after[carrier]!);
}
