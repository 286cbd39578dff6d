/**
 * `make bench-latency`: from the commit in PostgreSQL to the row in the view, percentiles, at steady rates, and where the
 * time goes: RATE=100,1000,5000 SECONDS=20. Every clock is this machine's. With SECONDS=3600 it tells whether memory stays flat.
 */
import { setTimeout as pause } from 'node:timers/promises';
import Table from 'cli-table3';
import { openBenchParts } from './bench-parts';
import { numberSetting, say } from './bench-settings';
import { cpuSeconds, rss } from './process-cost';
import { commitName, machineName, writeResult } from './report';
import { COST_HEAD, costCells, runRate, STAGES, withSteadyService, type RateResult } from './steady';

/** A run at least this long is one that tells of memory. */
const SOAK_SECONDS = 1_800;

async function main(): Promise<void> {
  const rates = (process.env['RATE'] ?? '100,1000,5000').split(',').map(Number);
  const seconds = numberSetting('SECONDS', 20);
  const parts = await openBenchParts(() => undefined);
  try {
    await withSteadyService(parts, {}, async (service) => {
      const { pid } = service;
      const results: RateResult[] = [];
      for (const rate of rates) {
        say(`${rate} changes a second for ${seconds} s`);
        results.push(await runRate(parts, service, { rate, seconds }));
      }
      await pause(5_000);
      const idleCpu = cpuSeconds(pid);
      await pause(10_000);
      const idle = { cpu: (cpuSeconds(pid) - idleCpu) / 10, mib: rss(pid) / 2 ** 20 };
      say(latencyTable(results));
      say(costTable(results));
      say(`idle: ${(idle.cpu * 100).toFixed(1)} % of a core, ${Math.round(idle.mib)} MiB`);
      const facts = { machine: machineName(), commit: commitName() };
      const kind = seconds >= SOAK_SECONDS ? 'soak' : 'latency';
      say(writeResult(kind, { kind, ...facts, seconds, results, idle }));
    });
  } finally {
    await parts.close();
  }
}

function latencyTable(results: readonly RateResult[]): string {
  const table = new Table({
    head: ['changes/s', 'stage', 'p50 ms', 'p95', 'p99', 'most'],
    style: { head: [], border: [] },
  });
  for (const { rate, stages } of results) {
    for (const stage of STAGES) {
      const { p50, p95, p99, most } = stages[stage];
      table.push([rate, stage, ...[p50, p95, p99, most].map((ms) => ms.toFixed(0))]);
    }
  }
  return table.toString();
}

function costTable(results: readonly RateResult[]): string {
  const table = new Table({ head: [...COST_HEAD], style: { head: [], border: [] } });
  table.push(...results.map(costCells));
  return table.toString();
}

void main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : 'failed'}\n`);
  process.exitCode = 1;
});
