/** Every rule of the delivery protocol, shown to be needed, and all of them together, shown to be enough: in a model. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { mirrorCollapse } from './clickhouse';
import { prepareReally } from './real-prepare';
import { RULES, rulesWithout, type Rule } from './rules';
import { simulate, simulateWith, tell } from './simulate';
import type { Promised } from './world';

const SEEDS = Number(process.env['MODEL_SEEDS'] ?? 100_000);
const REAL_SEEDS = Number(process.env['MODEL_REAL_SEEDS'] ?? 1_000);
const MINUTES = 60_000;

/**
 * For each rule a seed whose history breaks a promise when the rule is left out, and which promise. When the histories
 * are generated otherwise, `npm run model -- --without <rule>` finds another.
 */
const COUNTEREXAMPLES: Readonly<Record<Rule, readonly [seed: number, broken: Promised]>> = {
  truthNotRedelivered: [26, 'SUM'],
  redeliveryByTwin: [50, 'P3'],
  watermarkRestored: [92, 'SUM'],
  nullCommitLsn: [67, 'SUM'],
  lateWithoutTwin: [15, 'P2'],
  deadline: [51, 'P1'],
  waitAfterHand: [43, 'P1'],
  startBelowHighest: [178, 'P2'],
  targetInIdleCommit: [32, 'P1'],
  uuidsChecked: [74, 'P3'],
  lookFirst: [65418, 'P3'],
  repeatWithinDeadline: [57, 'P1'],
  wideWindow: [2, 'P1'],
  seenLookedUp: [7, 'P1'],
  truncateBelow: [374, 'P3'],
  truncateOnePartition: [147, 'P2'],
  truthsOffset: [183525, 'P3'],
  withheldFromEvents: [112, 'P3'],
  oneRunOfReads: [1, 'SUM'],
  retentionChecked: [3, 'P4'],
  redoBurnsToken: [440, 'P3'],
  redoInsertInWait: [66284, 'P1'],
  newestCarrier: [11283, 'P3'],
  idleBehindWrites: [24, 'P1'],
  settlingWaits: [346, 'SUM'],
  firstNotForgotten: [250, 'P1'],
  handWithoutHighest: [577, 'P4'],
  aheadLooksAtNothing: [1, 'SUM'],
  foldedOnInsert: [21499, 'P3'],
  lookAgain: [309, 'SUM'],
};

describe('the model of the delivery protocol', () => {
  it.each(Object.entries(COUNTEREXAMPLES) as [Rule, readonly [number, Promised]][])(
    'needs the rule %s',
    (rule, [seed, broken]) => {
      const { outcome, trace } = tell(seed, rulesWithout(rule));
      expect(`${RULES[rule]} - without it seed ${seed} breaks ${outcome.broken}`).toBe(
        `${RULES[rule]} - without it seed ${seed} breaks ${broken}`,
      );
      expect(trace.at(-1)).toContain(broken);
      expect(simulate(seed, rulesWithout()).broken).toBeNull();
    },
  );

  // In a process of its own: inside jest's sandbox the same takes three times as long.
  it(
    `keeps every promise in ${SEEDS} lives under all the rules`,
    () => {
      const root = join(__dirname, '..', '..');
      const script = ['-r', './test/unit/cli-typescript.cjs', 'test/model/run.ts', '--seeds', String(SEEDS)];
      const { status, stdout, stderr } = spawnSync(process.execPath, script, {
        cwd: root,
        encoding: 'utf8',
        maxBuffer: 1e8,
      });
      if (status !== 0) throw new Error(stdout + stderr);
      expect(stdout).toContain(`${SEEDS} seeds from 1: `);
      expect(stdout).toContain('no promise broken');
    },
    5 * MINUTES,
  );

  it(
    `keeps every promise in ${REAL_SEEDS} lives with the service's own step 0`,
    async () => {
      let steps = 0;
      for (let seed = 1; seed <= REAL_SEEDS; seed++) {
        const outcome = await simulateWith(seed, prepareReally);
        if (outcome.broken !== null) {
          const trace: string[] = [];
          await simulateWith(seed, prepareReally, trace);
          throw new Error(`seed ${seed}: ${outcome.message}\n${trace.join('\n')}`);
        }
        steps += outcome.steps;
      }
      expect(steps).toBeGreaterThan(REAL_SEEDS * 50);
    },
    5 * MINUTES,
  );

  // Each broke a promise once: a redo that wrote nothing, and a withheld value from the block though a newer event had it.
  it.each([3739, 11283, 26877, 30470, 30747, 32621])(
    'keeps every promise in life %i, which broke one before',
    async (seed) => {
      const trace: string[] = [];
      const { broken } = await simulateWith(seed, prepareReally, trace);
      expect({ broken, trace: broken === null ? [] : trace }).toEqual({ broken: null, trace: [] });
    },
  );

  it('lives the same life twice', () => {
    expect(tell(4711, rulesWithout()).trace).toEqual(tell(4711, rulesWithout()).trace);
  });
});

describe('the collapsing of the model', () => {
  const signs = (text: string): { sign: 1 | -1; name: string }[] =>
    [...text.matchAll(/([+-])(\w)/g)].map(([, sign, name]) => ({ sign: sign === '+' ? 1 : -1, name: name ?? '' }));
  const text = (rows: readonly { sign: 1 | -1; name: string }[]): string =>
    rows.map(({ sign, name }) => (sign === 1 ? '+' : '-') + name).join('');

  it.each([
    ['+a', '+a'],
    ['+a-a+b', '+b'],
    ['+a+b', '+b'],
    ['+a-b', ''],
    ['-a+b', '-a+b'],
    ['-a+b-b+c', '-a+c'],
    ['-a', '-a'],
    ['-a+b-c', '-a'],
    ['', ''],
  ])('makes of %s what ClickHouse makes of it', (rows, left) => {
    expect(text(mirrorCollapse(signs(rows)))).toBe(left);
  });
});
