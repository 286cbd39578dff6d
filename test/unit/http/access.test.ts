import { decideAccess } from '../../../src/http/access';

const TOKEN = 'a-long-enough-token';
const ask = (headers: Record<string, string>, url = '/status.json', method = 'GET') => ({ headers, url, method });

describe('without a token', () => {
  test.each(['localhost:3000', '127.0.0.1:3000', '[::1]:3000', 'localhost'])('%s is answered', (host) => {
    expect(decideAccess(ask({ host }), null)).toEqual({ kind: 'allowed' });
  });

  test.each(['evil.example', 'evil.example:3000', '127.0.0.1.evil.example', '10.0.0.7:3000', ''])(
    'a request for "%s" is refused: a site may have led a browser here',
    (host) => {
      expect(decideAccess(ask({ host }), null)).toMatchObject({ kind: 'refused', status: 403 });
    },
  );
});

describe('with a token', () => {
  test('a bearer and a cookie are taken, under any name', () => {
    expect(decideAccess(ask({ host: 'cdc.example', authorization: `Bearer ${TOKEN}` }), TOKEN).kind).toBe('allowed');
    expect(decideAccess(ask({ cookie: `a=b; debezium_clickhouse_page=${TOKEN}` }), TOKEN).kind).toBe('allowed');
  });

  test('in the address it moves into a cookie that scripts and other sites do not get, and out of the address', () => {
    expect(decideAccess(ask({}, `/status.json?x=1&token=${TOKEN}`), TOKEN)).toEqual({
      kind: 'cookie',
      cookie: `debezium_clickhouse_page=${TOKEN}; Path=/; HttpOnly; SameSite=Strict`,
      location: '/status.json?x=1',
    });
  });

  test.each(['//evil.example/', '/.//evil.example/', '/..//evil.example/'])(
    '%s sends no browser to another site',
    (path) => {
      const access = decideAccess(ask({}, `${path}?token=${TOKEN}`), TOKEN);
      expect(access.kind).toBe('cookie');
      expect(access.kind === 'cookie' ? access.location : '/').toMatch(/^\/(?!\/)/);
    },
  );

  test.each([
    {},
    { authorization: 'Bearer wrong' },
    { authorization: `Basic ${TOKEN}` },
    { cookie: 'debezium_clickhouse_page=wrong' },
    { cookie: 'debezium_clickhouse_page=%E0%A4%A' },
    { cookie: `other=${TOKEN}` },
  ])('%j is refused', (headers) => {
    expect(decideAccess(ask(headers as Record<string, string>), TOKEN)).toMatchObject({ kind: 'refused', status: 401 });
  });

  test('a wrong one in the address is refused, and a POST takes none from there', () => {
    expect(decideAccess(ask({}, '/?token=wrong'), TOKEN).kind).toBe('refused');
    expect(decideAccess(ask({}, `/?token=${TOKEN}`, 'POST'), TOKEN).kind).toBe('refused');
  });
});
