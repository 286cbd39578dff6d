/** Keys in doubt, and what they mean for how a block is written. */
import { isDoubtful, marksWith, MOST_DOUBTFUL, NO_MARKS } from '../../../src/plan/marks';
import type { BadRecord } from '../../../src/plan/change-block';

function bad(table: string, key: string, offset = 1): BadRecord {
  const none = new Uint8Array(0);
  return { offset, code: 'VALUE_UNREADABLE', table, column: '', key: Buffer.from(key), value: none, headers: none };
}

describe('the marks of a partition', () => {
  it('have nothing in doubt at first', () => {
    expect(isDoubtful(NO_MARKS, 'public.a', '{"id":1}')).toBe(false);
    expect(marksWith(NO_MARKS, [])).toBe(NO_MARKS);
  });

  it('have a key in doubt from its first record in quarantine on, in its own table only', () => {
    const marks = marksWith(NO_MARKS, [bad('public.a', '{"id":1}')]);
    expect(isDoubtful(marks, 'public.a', '{"id":1}')).toBe(true);
    expect(isDoubtful(marks, 'public.a', '{"id":2}')).toBe(false);
    expect(isDoubtful(marks, 'public.b', '{"id":1}')).toBe(false);
    expect(isDoubtful(NO_MARKS, 'public.a', '{"id":1}')).toBe(false);
  });

  it('have the key in doubt in every table where the envelope could not be opened', () => {
    const marks = marksWith(NO_MARKS, [bad('', '{"id":1}')]);
    expect(isDoubtful(marks, 'public.a', '{"id":1}')).toBe(true);
  });

  it('know nothing of a record without a key', () => {
    expect(isDoubtful(marksWith(NO_MARKS, [bad('public.a', '')]), 'public.a', '')).toBe(false);
  });

  it('have every key of the table in doubt once there are too many to tell apart', () => {
    const many = Array.from({ length: MOST_DOUBTFUL + 1 }, (_, id) => bad('public.a', `{"id":${id}}`));
    const marks = marksWith(NO_MARKS, many);
    expect(isDoubtful(marks, 'public.a', '{"id":-1}')).toBe(true);
    expect(isDoubtful(marksWith(marks, [bad('public.a', '{"id":-2}')]), 'public.a', '{"id":-3}')).toBe(true);
    expect(isDoubtful(marks, 'public.b', '{"id":-1}')).toBe(false);
  });
});
