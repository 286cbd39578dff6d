import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { exitCodeOf, failureBlock } from '../../src/cli/failure';
import type { Setting } from '../../src/config/forms';
import { SETTING_NAMES, SETTINGS, type SettingName } from '../../src/config/settings';
import { ServiceError } from '../../src/errors';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'cli-'));
});
afterAll(() => rmSync(cwd, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The real command line in a process of its own, in an empty folder and with an empty environment. */
function command(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(
    process.execPath,
    ['-r', resolve('test/unit/cli-typescript.cjs'), resolve('src/main.ts'), ...args],
    { cwd, env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((done) => child.on('close', (code) => done({ code, out, err })));
}

describe('the command line', () => {
  test('lists its commands', async () => {
    const { code, out } = await command(['--help']);
    expect(code).toBe(0);
    for (const name of ['run', 'migrate', 'check', 'connectors']) expect(out).toMatch(new RegExp(`^  ${name}`, 'm'));
  });

  test('tells every setting with its default in the help of run, and takes no password as an option', async () => {
    const { code, out } = await command(['run', '--help']);
    const text = out.replaceAll(/\s+/g, ' ');
    expect(code).toBe(0);
    expect(text).toContain('--once');
    for (const name of SETTING_NAMES) {
      const byDefault = SETTINGS[name].default;
      const shown = byDefault === '' ? `${name}, not set.` : `${name}, default: ${byDefault}.`;
      const setting: Setting<unknown> = SETTINGS[name];
      if (setting.sensitive !== 'secret') expect(text).toContain(shown);
      else expect(text).not.toContain(`${flag(name)} <value>`);
    }
  });

  test('ends with 2 and one block when settings are wrong', async () => {
    const { code, out, err } = await command(['run', '--block-rows', 'many'], {
      KAFKA_BROKERS: 'kafka',
      PG_URL: 'x://u:hunter2@h',
    });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^error CONFIG_INVALID\n {2}3 settings are wrong\.\n/);
    expect(err).toContain('BLOCK_ROWS (from the command line) must be a whole number from 1 to 131072');
    expect(err).toContain('\n  do: ');
    expect(err).not.toContain('hunter2');
  });

  test.each([[['bogus']], [['run', '--bogus']], [['connectors', 'apply', '--profile', 'xml']], [[]]])(
    'ends with 2 and points to the help for %j',
    async (args) => {
      const { code, err } = await command(args);
      expect(code).toBe(2);
      expect(err).toMatch(/--help|Usage:/);
    },
  );

  test('names the setting that connectors needs', async () => {
    const { code, err } = await command(['connectors', 'status']);
    expect(code).toBe(2);
    expect(err).toContain('CONNECT_URL');
  });

  test('ends with 3 when a part is away that the command needs', async () => {
    const { code, err } = await command(['connectors', 'status', '--connect-url', 'http://127.0.0.1:9']);
    expect(code).toBe(3);
    expect(err).toContain('error CONNECT_UNREACHABLE');
  });
});

describe('a failure', () => {
  test.each([
    ['CONFIG_INVALID', 2],
    ['CLICKHOUSE_REFUSED_LOGIN', 2],
    ['CHANGES_EXPIRED', 4],
    ['TOPIC_RECREATED', 5],
    ['REGISTRY_NOT_SET', 6],
    ['TARGET_OWNED_BY_OTHER_GROUP', 7],
    ['KAFKA_UNREACHABLE', 3],
    ['INTERNAL', 70],
  ] as const)('with code %s ends the process with %d', (code, exitCode) => {
    expect(exitCodeOf(new ServiceError(code, 'x', { hint: 'y' }))).toBe(exitCode);
  });

  test('is shown with code, message, place and hint', () => {
    const place = { topic: 'cdc.public.orders', partition: 0, offset: 7 };
    expect(failureBlock(new ServiceError('CHANGES_EXPIRED', 'Gone.', { place, hint: 'Snapshot again.' }))).toBe(
      'error CHANGES_EXPIRED\n  Gone.\n  at: topic cdc.public.orders, partition 0, offset 7\n  do: Snapshot again.\n',
    );
  });

  test('without a code is a bug: 70, with the place in the code', () => {
    const bug = new TypeError('x is not a function');
    expect(exitCodeOf(bug)).toBe(70);
    expect(failureBlock(bug)).toMatch(/^error INTERNAL\n {2}TypeError: x is not a function\n\s+at /);
  });

  test('of parsing does not repeat what was parsed', () => {
    let error: unknown;
    try {
      JSON.parse('hunter2');
    } catch (thrown) {
      error = thrown;
    }
    expect(failureBlock(error)).not.toContain('hunter2');
  });
});

function flag(name: SettingName): string {
  return `--${name.toLowerCase().replaceAll('_', '-')}`;
}
