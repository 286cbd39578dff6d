/**
 * `make bench`: in one run, alternating, on the same records and the same tables: ours, ClickHouse's Kafka engine, a
 * plain consumer, and the floor. CHANGES, REPEAT and CONTENDERS choose what; KEEP=1 leaves the parts up. With WIRE=avro or
 * WIRE=json-schema: ours over that wire beside ours over plain JSON.
 */
import { openBenchParts } from './bench-parts';
import { choiceSetting, numberSetting, say, wireSetting } from './bench-settings';
import { CONTENDERS, measure, type Contender, type ContenderName, type Measured } from './contender';
import { engineContender } from './contender-engine';
import { floorContender } from './contender-floor';
import { oursContender } from './contender-ours';
import { plainContender } from './contender-plain';
import { commitName, drainTable, machineName, summarize, writeResult, type DrainResult } from './report';
import { ensureTopic } from './topics';
import { drainWire } from './wire-drain';

const KNOWN: Readonly<Record<ContenderName, Contender>> = {
  ours: oursContender,
  engine: engineContender,
  plain: plainContender,
  floor: floorContender,
};

async function main(): Promise<void> {
  const wire = wireSetting();
  const repeat = numberSetting('REPEAT', 3);
  const changes = numberSetting('CHANGES', 2_000_000);
  const chosen = choiceSetting('CONTENDERS', CONTENDERS);
  const parts = await openBenchParts(say, wire);
  try {
    if (wire !== 'json') return await drainWire(parts, { wire, changes, repeat });
    const topic = await ensureTopic(parts, { wire, changes }, say);
    say(`${topic.changes} changes of ${topic.averageBytes} bytes, ${topic.partitions} partitions, ${wire}`);
    const runs: Measured[][] = [];
    for (let repetition = 0; repetition < repeat; repetition++) {
      const runsOfOne: Measured[] = [];
      // Each repetition begins with another one, so that none always follows the same.
      const order = chosen.map((_, i) => chosen[(i + repetition) % chosen.length] ?? 'ours');
      for (const name of order) {
        const run = await measure(KNOWN[name], parts, topic);
        say(
          `  ${repetition + 1}/${repeat} ${name}: ${run.seconds.toFixed(2)} s, ${Math.round(run.changesPerSecond)} changes/s`,
        );
        runsOfOne.push(run);
      }
      runs.push(runsOfOne);
    }
    requireEqual(runs.flat());
    const summaries = summarize(runs, topic);
    const result: DrainResult = {
      kind: 'drain',
      at: new Date().toISOString(),
      machine: machineName(),
      commit: commitName(),
      topic,
      repeat,
      summaries,
      runs,
    };
    say(drainTable(summaries));
    say(`all wrote equal rows; ${writeResult(`drain-${wire}`, result)}`);
  } finally {
    await parts.close();
  }
}

/** A contender that is fast because it writes something else has lost. */
function requireEqual(runs: readonly Measured[]): void {
  const [first] = runs;
  for (const { contender, contents } of runs) {
    if (first === undefined) return;
    if (contents.changes === first.contents.changes && contents.mirrored === first.contents.mirrored) continue;
    throw new Error(
      `${contender} did not write what ${first.contender} wrote:\n${JSON.stringify(contents)}\n${JSON.stringify(first.contents)}`,
    );
  }
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : 'failed'}\n`);
  process.exitCode = 1;
});
