/** Runs what `check` prints as it is printed: in a shell that has our command and Kafka's, in psql's and in ClickHouse's place. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mend } from '../../src/check/facts';
import { downloadFolder } from '../../stack/downloads';
import { projectRoot } from '../../stack/project-root';
import { runToEnd } from '../../stack/run-to-end';
import { program } from './run-command';

export interface PrintedCommands {
  /** Settings that a mend changed, beside those at the start. */
  readonly env: Readonly<Record<string, string>>;
  /** Throws with what was printed when it fails. */
  run(mend: Mend): Promise<void>;
}

export function printedCommands(options: {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly psql: (statements: string) => Promise<unknown>;
  readonly clickhouse: (statement: string) => Promise<unknown>;
}): PrintedCommands {
  const bin = join(options.dir, 'bin');
  mkdirSync(bin, { recursive: true });
  writeScript(join(bin, 'debezium-clickhouse'), `exec ${process.execPath} ${program('src/main.js')} "$@"`);
  const jars = join(
    downloadFolder({ root: projectRoot(), partsDir: join(projectRoot(), '.stack', 'parts') }, 'kafka'),
    'jars',
  );
  writeScript(
    join(bin, 'kafka-configs.sh'),
    `exec java -XX:TieredStopAtLevel=1 -cp '${jars}/*' kafka.admin.ConfigCommand "$@"`,
  );
  let env: Record<string, string> = { ...options.env };
  return {
    get env() {
      return env;
    },
    async run({ by, run }) {
      if (by === 'psql') return void (await options.psql(run));
      if (by === 'clickhouse') return void (await options.clickhouse(run.replace(/;\s*$/, '')));
      if (by === 'hand') throw new Error(`nothing to run: ${run}`);
      // The environment afterwards shows what an export changed.
      const { code, output } = await runToEnd({
        file: '/bin/sh',
        args: ['-c', `${run}\ncode=$?; echo ENV; env -0 | tr '\\n\\0' ' \\n'; exit $code`],
        cwd: options.dir,
        env: { ...env, PATH: `${bin}:${process.env['PATH'] ?? ''}` },
      });
      const [said = '', after = ''] = output.split(/^ENV$/m);
      if (code !== 0) throw new Error(`${run}\nended with ${String(code)}:\n${said}`);
      const lines = after.split('\n').map((line) => /^([A-Z_]+)=(.*)$/.exec(line));
      const changed = lines.flatMap((match) => (match?.[1] === undefined ? [] : [[match[1], match[2] ?? ''] as const]));
      const exported = new Set([...run.matchAll(/export (\w+)=/g)].map((match) => match[1]));
      env = { ...env, ...Object.fromEntries(changed.filter(([name]) => exported.has(name))) };
    },
  };
}

function writeScript(file: string, line: string): void {
  writeFileSync(file, `#!/bin/sh\n${line}\n`);
  chmodSync(file, 0o755);
}
