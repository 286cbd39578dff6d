import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withStackLock } from '../../../stack/stack-lock';
import { parseState, readState, stateFile, writeState } from '../../../stack/state';
import type { StackState } from '../../../stack/state';
import { ServiceError } from '../../../src/errors';

const STATE: StackState = {
  format: 1,
  mode: 'local',
  connector: 'json',
  ports: {
    postgres: 1,
    kafka: 2,
    kafkaController: 3,
    connect: 4,
    clickhouseHttp: 5,
    clickhouseTcp: 6,
    registry: 7,
  },
  env: {
    PG_URL: 'postgres://postgres:secret@127.0.0.1:1/postgres',
    CH_URL: 'http://127.0.0.1:5',
    CH_DATABASE: 'cdc',
    KAFKA_BROKERS: '127.0.0.1:2',
    CONNECT_URL: 'http://127.0.0.1:4',
  },
  parts: {},
};

describe('the state file', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'stack-state-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  test('is read back as it was written', () => {
    writeState(dir, STATE);
    expect(readState(dir)).toEqual(STATE);
  });

  test('may be read by its owner only, because it holds a password', () => {
    writeState(dir, STATE);
    expect(statSync(stateFile(dir)).mode & 0o077).toBe(0);
  });

  test('that is not there is no state', () => {
    expect(readState(dir)).toBeNull();
    expect(readState(join(dir, 'deeper'))).toBeNull();
  });

  test.each(['', 'no json', 'null', '[]', '{"format":2}', '{"format":1,"mode":"local"}'])(
    'with the text %j is refused, and its text not repeated',
    (text) => {
      writeFileSync(stateFile(dir), text);
      expect(() => readState(dir)).toThrow(ServiceError);
      expect(() => parseState(text, dir)).toThrow(/is not a state file of this version/);
    },
  );
});

describe('the lock of a stack', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'stack-lock-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  test('refuses a second command while the first works, and names its pid', async () => {
    await withStackLock(dir, async () => {
      await expect(withStackLock(dir, () => Promise.resolve())).rejects.toThrow(`pid ${process.pid}`);
    });
  });

  test('is free again after the work, also after work that failed', async () => {
    await expect(withStackLock(dir, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(withStackLock(dir, () => Promise.resolve('done'))).resolves.toBe('done');
  });

  test('left by a process that has ended is taken over', async () => {
    writeFileSync(join(dir, 'lock'), JSON.stringify({ pid: process.pid, startTicks: 1, bootId: 'another boot' }));
    await expect(withStackLock(dir, () => Promise.resolve('done'))).resolves.toBe('done');
  });
});
