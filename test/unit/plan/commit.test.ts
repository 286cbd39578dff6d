/** What a commit of ours says survives Kafka, and what anybody else says is not taken for ours. */
import * as fc from 'fast-check';
import { encodeNote, parseNote, type CommitNote } from '../../../src/plan/commit';

const offset = fc.nat(Number.MAX_SAFE_INTEGER);
const note: fc.Arbitrary<CommitNote> = fc.record({
  target: fc.uuid(),
  announced: fc.option(fc.record({ end: offset, at: offset })),
});

describe('the metadata of a commit', () => {
  it('reads back as it was written', () => {
    fc.assert(fc.property(note, (one) => expect(parseNote(encodeNote(one))).toEqual(one)));
  });

  it('says that rows of older offsets are being written, and an older version reads it as any other', () => {
    const text = encodeNote({ target: 'u', announced: null, settling: true });
    expect(text).toBe('{"v":1,"settling":true,"target":"u"}');
    expect(parseNote(text)).toEqual({ target: 'u', announced: null, settling: true });
  });

  it('is short', () => {
    fc.assert(fc.property(note, (one) => expect(encodeNote(one).length).toBeLessThanOrEqual(200)));
    const longest = { end: Number.MAX_SAFE_INTEGER, at: Number.MAX_SAFE_INTEGER };
    const target = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    expect(encodeNote({ target, announced: longest }).length).toBeLessThan(120);
  });

  it('has the form that other versions rely on', () => {
    expect(encodeNote({ target: 'u', announced: { end: 9, at: 5 } })).toBe('{"v":1,"end":9,"at":5,"target":"u"}');
    expect(encodeNote({ target: 'u', announced: null })).toBe('{"v":1,"target":"u"}');
  });

  it.each([
    null,
    '',
    ' ',
    'null',
    '7',
    '"text"',
    '[]',
    '{}',
    'not json {',
    '{"v":1}',
    '{"v":2,"target":"u"}',
    '{"v":"1","target":"u"}',
    '{"v":1,"target":7}',
    '{"v":1,"target":"u","end":9}',
    '{"v":1,"target":"u","at":9}',
    '{"v":1,"target":"u","end":"9","at":5}',
    '{"v":1,"target":"u","end":9.5,"at":5}',
    '{"v":1,"target":"u","end":9007199254740993,"at":5}',
    '{"v":1,"target":"u","end":null,"at":null}',
  ])('is not ours: %j', (metadata) => {
    expect(parseNote(metadata)).toBeNull();
  });

  it('of any text never throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => expect(parseNote(text)).toBeNull()));
  });
});
