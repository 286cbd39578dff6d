import { abortedIn } from '../../chaos/aborted';

const batch = (producer: number, control = false): string =>
  `baseOffset: 0 lastOffset: 1 count: 2 baseSequence: 0 lastSequence: 1 producerId: ${producer} producerEpoch: 0 partitionLeaderEpoch: 0 isTransactional: true isControl: ${String(control)} deleteHorizonMs: OptionalLong.empty`;
const record = (offset: number): string =>
  `| offset: ${offset} CreateTime: 1 keySize: 8 valueSize: 3500 sequence: 0 headerKeys: []`;
const marker = (offset: number, how: 'ABORT' | 'COMMIT'): string =>
  `| offset: ${offset} CreateTime: 1 keySize: 4 valueSize: 6 sequence: -1 headerKeys: [] endTxnMarker: ${how} coordinatorEpoch: 0`;
const dumping = (file: string): string => `Dumping /data/kafka/t.public.item-${file}.log\nLog starting offset: 0`;

describe('the records of aborted transactions in a dump of the log', () => {
  it('are those of the producer whose transaction was aborted, and not those of another that is interleaved', () => {
    const text = [
      dumping('0/00000000000000000000'),
      ...[batch(5), record(0), batch(6), record(1), batch(5), record(2)],
      ...[batch(5, true), marker(3, 'ABORT'), batch(6, true), marker(4, 'COMMIT')],
      ...[batch(5), record(5), batch(5, true), marker(6, 'COMMIT')],
    ].join('\n');
    expect([...abortedIn(text)]).toEqual(['t.public.item:0:0', 't.public.item:0:2']);
  });

  it('include those of a transaction that has no end, and may begin in one file and end in the next', () => {
    const text = [
      dumping('0/00000000000000000000'),
      ...[batch(5), record(0)],
      dumping('0/00000000000000000001'),
      ...[batch(5, true), marker(1, 'COMMIT'), batch(5), record(2)],
      dumping('1/00000000000000000000'),
      ...[batch(5), record(0), batch(5, true), marker(1, 'COMMIT')],
    ].join('\n');
    expect([...abortedIn(text)]).toEqual(['t.public.item:0:2']);
  });
});
