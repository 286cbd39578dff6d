import {
  asked,
  executeSnapshot,
  follow,
  isPlainTable,
  notificationTopic,
  readNotification,
  signalChannel,
  stopSnapshot,
  type Notification,
  type SnapshotProgress,
} from '../../../src/connect/snapshot';

const note = (type: string, data: Record<string, string> = {}, id = 'me'): Notification => ({
  id,
  type,
  aggregate: 'Incremental Snapshot',
  data,
});
const chunk = (index: number): Notification =>
  note('IN_PROGRESS', {
    current_collection_in_progress: 's.a',
    chunk_index: String(index),
    total_chunks: '3',
    total_rows: '3000',
  });

function after(notes: readonly Notification[], kind: 'incremental' | 'blocking' = 'incremental'): SnapshotProgress {
  return notes.reduce((progress, one) => follow(progress, one, { kind, id: 'me' }), asked(['s.a', 's.b']));
}

describe('the progress of a snapshot', () => {
  test('counts the chunks that are behind, and the rows by them', () => {
    const { state, tables } = after([note('STARTED'), chunk(1), chunk(2), chunk(1), chunk(3)]);
    expect(state).toBe('running');
    expect(tables.get('s.a')).toEqual({
      rows: 2000,
      totalRows: 3000,
      chunks: 2,
      totalChunks: 3,
      done: false,
      trouble: '',
    });
  });

  test('ends with what the connector says of each table', () => {
    const scan = (table: string, status: string): Notification =>
      note('TABLE_SCAN_COMPLETED', { scanned_collection: table, total_rows_scanned: '7', status });
    const { state, tables } = after([scan('s.a', 'SUCCEEDED'), scan('s.b', 'SQL_EXCEPTION'), note('COMPLETED')]);
    expect(state).toBe('completed');
    expect(tables.get('s.a')).toMatchObject({ rows: 7, done: true, trouble: '' });
    expect(tables.get('s.b')).toMatchObject({ done: true, trouble: 'SQL_EXCEPTION' });
  });

  test('is stopped for good once it was aborted, under whatever id', () => {
    expect(after([note('STARTED'), note('ABORTED', {}, 'other'), note('COMPLETED')]).state).toBe('stopped');
  });

  test('is stopped where it ends before its tables do', () => {
    expect(after([note('STARTED'), chunk(1), note('COMPLETED')]).state).toBe('stopped');
  });

  test('passes over another snapshot, and knows a blocking one by its kind only', () => {
    expect(after([note('STARTED', {}, 'other'), note('COMPLETED', {}, 'other')]).state).toBe('asked');
    const first = { ...note('COMPLETED', {}, 'own id'), aggregate: 'Initial Snapshot' };
    expect(after([first]).state).toBe('asked');
    expect(after([first], 'blocking').state).toBe('completed');
  });
});

describe('a notification', () => {
  const body = { id: 'i', type: 'STARTED', aggregate_type: 'A', additional_data: { x: 'y', n: null }, timestamp: 1 };
  const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

  test('is read from JSON with and without its schema', () => {
    const read = { id: 'i', type: 'STARTED', aggregate: 'A', data: { x: 'y' } };
    expect(readNotification(bytes(body))).toEqual(read);
    expect(readNotification(bytes({ schema: {}, payload: body }))).toEqual(read);
  });

  test('is nothing else', () => {
    for (const other of [null, [], 'x', { id: 1 }, { payload: null }])
      expect(readNotification(bytes(other))).toBeNull();
    expect(readNotification(Buffer.from([0, 0, 0, 0, 1]))).toBeNull();
  });

  test('can be followed only where the connector sends it in JSON', () => {
    const config = {
      'notification.enabled.channels': 'log,sink',
      'notification.sink.topic.name': 'n',
      'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    };
    expect(notificationTopic(config)).toBe('n');
    expect(notificationTopic({ ...config, 'value.converter': 'x.AvroConverter' })).toBeNull();
    expect(notificationTopic({ ...config, 'notification.enabled.channels': 'log' })).toBeNull();
  });
});

describe('a signal', () => {
  test('goes by the table unless the source is read only', () => {
    const config = { 'signal.data.collection': 'public.s', 'topic.prefix': 'p', 'signal.kafka.topic': 't' };
    expect(signalChannel(config)).toEqual({ kind: 'table', table: 'public.s' });
    expect(signalChannel({ ...config, 'read.only': 'true' })).toEqual({ kind: 'topic', topic: 't', key: 'p' });
    expect(() => signalChannel({ 'signal.enabled.channels': 'jmx' })).toThrow('no signals');
  });

  test('names tables exactly, where Debezium would read a pattern', () => {
    const { data } = executeSnapshot('i', { kind: 'blocking', tables: ['public.a+b'], where: 'id > 1' });
    expect(data).toEqual({
      type: 'blocking',
      'data-collections': ['public\\.a\\+b'],
      'additional-conditions': [{ 'data-collection': 'public\\.a\\+b', filter: 'id > 1' }],
    });
    expect(stopSnapshot('i', ['a.b']).data).toEqual({ type: 'incremental', 'data-collections': ['a\\.b'] });
  });

  test('for an incremental snapshot goes only to names that Debezium can parse', () => {
    for (const name of ['public.item', 'public.Größe_2', 'S.t$']) expect(isPlainTable(name)).toBe(true);
    for (const name of ['public.a b', 'public.a.b', 'public."x"', 'public.2x', 'item'])
      expect(isPlainTable(name)).toBe(false);
  });
});
