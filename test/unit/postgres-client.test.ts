import { createServer, type AddressInfo } from 'node:net';
import { openPostgres, postgresError } from '../../src/postgres/client';

const AT = 'db:5432/shop';

test.each([
  ['ECONNREFUSED', 'POSTGRES_UNREACHABLE'],
  ['EPIPE', 'POSTGRES_UNREACHABLE'],
  ['08006', 'POSTGRES_UNREACHABLE'],
  ['57P03', 'POSTGRES_UNREACHABLE'],
  ['53300', 'POSTGRES_UNREACHABLE'],
  ['28P01', 'POSTGRES_REFUSED_LOGIN'],
  ['3D000', 'POSTGRES_REFUSED_LOGIN'],
  ['57014', 'POSTGRES_QUERY_FAILED'],
  ['22P02', 'POSTGRES_QUERY_FAILED'],
  ['42P01', 'POSTGRES_QUERY_FAILED'],
])('code %s becomes %s', (code, expected) => {
  const error = postgresError(Object.assign(new Error('hidden'), { code }), AT);
  expect(error.code).toBe(expected);
  expect(error.message).toContain(AT);
  expect(error.message).toContain(code);
});

test('what the server says is repeated only where it names things, never where it can quote values', () => {
  const quoting = Object.assign(new Error('invalid input syntax for type integer: "hunter2"'), {
    code: '22P02',
    detail: 'hunter2',
  });
  const failed = postgresError(quoting, AT);
  expect(JSON.stringify([failed.message, failed.hint, failed.cause ?? null])).not.toContain('hunter2');
  const naming = Object.assign(new Error('relation "orders" does not exist'), { code: '42P01' });
  expect(postgresError(naming, AT).message).toContain('relation "orders" does not exist');
});

test('nobody there: unreachable, without the password', async () => {
  const postgres = openPostgres('postgres://me:hunter2@127.0.0.1:9/shop');
  const error = await postgres.query('SELECT 1').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'POSTGRES_UNREACHABLE' });
  expect(String(error)).toContain('127.0.0.1:9/shop');
  expect(String(error)).not.toContain('hunter2');
  await postgres.close();
  await postgres.close();
});

test('somebody who does not answer: unreachable after the connection timeout', async () => {
  const server = createServer((socket) => socket.resume());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const postgres = openPostgres(`postgres://me@127.0.0.1:${port}/shop`, { connectionTimeoutMs: 50 });
  await expect(postgres.query('SELECT 1')).rejects.toMatchObject({
    code: 'POSTGRES_UNREACHABLE',
    message: expect.stringContaining('no answer in time') as string,
  });
  await postgres.close();
  await new Promise((done) => server.close(done));
});

test('what is no URL is a wrong setting', () => {
  expect(() => openPostgres('db:hunter2')).toThrow('PG_URL is not a URL of PostgreSQL.');
});
