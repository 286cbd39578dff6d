/** What a person does meanwhile: altering tables, snapshots of them, mirrors made anew, tables held, proofs. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { executeSnapshot } from '../../src/connect/snapshot';
import { sendSignalRow } from '../../src/connect/source';
import { waitFor } from '../harness/wait-for';
import type { World } from '../harness/world';
import type { Deed } from './deed';
import type { Random } from './random';
import { CHAOS_TABLES } from './workload';

export interface OperatorOptions {
  readonly world: World;
  readonly random: Random;
  /** Writes a line of the timeline. */
  readonly tell: (line: string) => void;
  /** Counts what came of a deed. */
  readonly count: (name: string) => void;
  /** Ends when the hand is taken away. */
  readonly over: AbortSignal;
}

/** With parts away a command fails and says so; then it is given again. */
const INSIST_MS = 180_000;
const AGAIN_MS = 1_000;
/** It waits until all that was written before it has arrived, which in the midst of it may be never. */
const VERIFY_MS = 200_000;
const TYPES = ['int NOT NULL DEFAULT 7', `text DEFAULT 'seven'`, 'text', 'bigint', `date DEFAULT '2020-02-29'`];

export function operatorDeeds({ world, random, tell, count, over }: OperatorOptions): readonly Deed[] {
  const tablesThatAre = (meanwhile: 'altered' | 'snapshot'): readonly string[] =>
    CHAOS_TABLES.filter((table) => table.meanwhile === meanwhile).map(({ name }) => name);
  const anyTable = (): string => `public.${random.pick(CHAOS_TABLES).name}`;
  const added: { readonly table: string; readonly column: string }[] = [];
  let columns = 0;

  /** Runs it until it says 0. */
  const insist = async (args: readonly string[]): Promise<void> => {
    const isDone = async (): Promise<boolean> => {
      const { code, stdout, stderr } = await world.command(args);
      if (code === 0) return true;
      tell(`  ${args[0]} ended with ${String(code)}`);
      throw new Error(`exit code ${String(code)}\n${stdout}${stderr}`);
    };
    await waitFor(isDone, `${args[0]} is done`, INSIST_MS);
  };

  /** A statement that may be given twice; true once PostgreSQL took it, false where it was away or the table locked. */
  const tried = async (statement: string): Promise<boolean> => {
    const waiting = `PERFORM set_config('lock_timeout', '5s', true)`;
    for (let attempt = 1; attempt <= 5 && !over.aborted; attempt++) {
      try {
        await world.postgres.query(`DO $do$ BEGIN ${waiting}; ${statement}; END $do$`);
        return true;
      } catch {
        await pause(AGAIN_MS);
      }
    }
    return false;
  };

  const alter = async (): Promise<void> => {
    const old = added.length > 0 && random.chance(40) ? added.splice(random.below(added.length), 1)[0] : undefined;
    if (old !== undefined) {
      const done = await tried(`ALTER TABLE ${old.table} DROP COLUMN IF EXISTS ${old.column}`);
      tell(`  ${old.table} ${done ? 'loses' : 'keeps'} ${old.column}`);
      return;
    }
    const table = random.pick(tablesThatAre('altered'));
    const column = `c${++columns}`;
    const type = random.pick(TYPES);
    const done = await tried(`ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${column} ${type}`);
    tell(`  ${table} ${done ? 'gains' : 'does not gain'} ${column} ${type}`);
    // Perhaps it did: an answer may be lost. To drop what is not there is right as well.
    added.push({ table, column });
  };

  const snapshot = async (): Promise<void> => {
    const tables = tablesThatAre('snapshot').map((name) => `public.${name}`);
    const chosen = random.chance(50) ? tables : [random.pick(tables)];
    const signal = executeSnapshot(randomUUID(), { kind: 'incremental', tables: chosen, where: null });
    const sent = await sendSignalRow(world.postgres, 'public.debezium_signal', signal).then(
      () => true,
      () => false,
    );
    tell(`  a snapshot of ${chosen.join(', ')} ${sent ? 'was asked for' : 'could not be asked for'}`);
  };

  const verify = async (): Promise<void> => {
    const { code, stdout } = await world.command(['verify', '--json'], {}, VERIFY_MS);
    if (code === 1) throw new Error(`differences while all went on\n${stdout.slice(-3_000)}`);
    tell(code === 0 ? '  all mirrors were equal' : `  verify ended with ${String(code)}`);
    if (code === 0) count('verify meanwhile, equal');
  };

  const hold = async (): Promise<void> => {
    const table = anyTable();
    tell(`  ${table}`);
    await insist(['pause', '--table', table]);
    await pause(random.between(500, 8_000), undefined, { signal: over }).catch(() => undefined);
    await insist(['resume', '--table', table]);
  };

  const rebuild = async (): Promise<void> => {
    const table = anyTable();
    tell(`  ${table}`);
    await insist(['rebuild', '--table', table]);
  };

  // Where nobody runs, a command joins the group itself, so nothing that needs it empty is done beside it.
  const commands = ['operator', 'group'];
  return [
    { name: 'alter a table', weight: 5, needs: ['source'], run: alter },
    { name: 'snapshot of tables', weight: 5, needs: ['source'], run: snapshot },
    { name: 'rebuild a mirror', weight: 4, needs: commands, run: rebuild },
    { name: 'pause and resume a table', weight: 3, needs: commands, run: hold },
    { name: 'verify meanwhile', weight: 3, needs: ['operator'], run: verify },
  ];
}
