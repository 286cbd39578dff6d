import { renderVerify } from '../../../src/verify/report';
import type { TableResult, VerifyResult } from '../../../src/verify/result';

const EQUAL: TableResult = {
  table: 'public.a',
  sourceRows: 3,
  mirrorRows: 3,
  differences: 0,
  details: [],
  movedSince: 2,
  altered: { d: 1 },
  notCompared: [{ column: 'g', reason: 'a reason' }],
  renamedFrom: null,
};
const RESULT: VerifyResult = {
  equal: true,
  lsn: '0/1',
  sampled: false,
  ms: 1234,
  tables: [EQUAL],
  skipped: [{ table: 'public.n', reason: 'it is audited, not mirrored' }],
};

it('says of each table what was compared, and of those left out why', () => {
  expect(renderVerify(RESULT).split('\n')).toEqual([
    '= public.a: 3 rows, 2 keys changed meanwhile',
    '    d: 1 values are altered by policy',
    '    g: not compared, a reason',
    '- public.n: skipped, it is audited, not mirrored',
    '1 tables equal their source at 0/1, in 1.2 s',
  ]);
});

it('names key, columns and stage of a difference, and shows values only where they are there', () => {
  const table: TableResult = {
    ...EQUAL,
    movedSince: 0,
    altered: {},
    notCompared: [],
    differences: 2,
    details: [
      { key: { id: '1' }, kind: 'changed', columns: ['a', 'b'], stage: 'mirror' },
      { key: { id: '2' }, kind: 'missing', columns: [], stage: 'kafka', values: { source: { id: '2' }, mirror: null } },
    ],
  };
  const lines = renderVerify({ ...RESULT, equal: false, tables: [table], skipped: [] }).split('\n');
  expect(lines[1]).toBe('    id=1: differs in a, b (in changes, not in the mirror)');
  expect(lines[2]).toBe('    id=2: missing in the mirror (not in Kafka (any more)) source {"id":"2"} mirror null');
  const renamed = { ...table, renamedFrom: 'public.z' };
  expect(renderVerify({ ...RESULT, equal: false, tables: [renamed], skipped: [] }).split('\n')[3]).toBe(
    '    it was public.z; debezium-clickhouse connectors snapshot --tables public.a brings the rows of then',
  );
  const keyless: TableResult = {
    ...renamed,
    details: [{ key: {}, kind: 'missing', columns: [], stage: 'kafka', times: { source: 2, mirror: 0 } }],
  };
  expect(renderVerify({ ...RESULT, equal: false, tables: [keyless], skipped: [] })).toContain(
    'connectors snapshot --tables public.a --type blocking brings',
  );
  expect(lines.at(-1)).toBe('1 of 1 tables differ from their source at 0/1, in 1.2 s');
});

it('does not call it equal when nothing was compared', () => {
  expect(renderVerify({ ...RESULT, tables: [] })).toContain('nothing was compared');
});
