/** What a person sees of a long command. */
import { createProgressLine, duration, progressText } from '../../src/cli/progress';

const streamOf = (isTTY: boolean) => {
  const written: string[] = [];
  return { written, stream: { isTTY, write: (text: string) => written.push(text) } };
};

describe('progress', () => {
  it('is a bar with rate and time left', () => {
    expect(progressText('replaying', { done: 500, total: 2_000 }, 100)).toBe(
      'replaying ######..................  25 %  500 of 2,000, 100/s, 15 s left',
    );
    expect(progressText('replaying', { done: 0, total: 2_000 }, 0)).toContain('0 of 2,000');
    expect(progressText('waiting', { done: 0, total: 0 }, 0)).toBe('waiting');
  });

  it('is written over on a terminal, with the rate of the last seconds, and cleared at the end', () => {
    const { written, stream } = streamOf(true);
    const clock = { ms: 0 };
    const line = createProgressLine({ stream, now: () => clock.ms });
    line.show('replaying', { done: 0, total: 100 });
    clock.ms = 1_000;
    line.show('replaying', { done: 20, total: 100 });
    line.clear();
    expect(written[1]).toMatch(/^\r.*20 of 100, 20\/s, 4\.0 s left$/);
    expect(written.at(-1)).toBe('\r\u001b[K');
  });

  it('is a line every ten seconds where there is no terminal', () => {
    const { written, stream } = streamOf(false);
    const clock = { ms: 0 };
    const line = createProgressLine({ stream, now: () => clock.ms });
    for (; clock.ms <= 25_000; clock.ms += 500) line.show('replaying', { done: clock.ms, total: 100_000 });
    line.clear();
    expect(written).toHaveLength(3);
    expect(written.every((text) => text.endsWith('\n') && !text.includes('\r'))).toBe(true);
  });
});

it.each([
  [800, '0.8 s'],
  [59_900, '59 s'],
  [250_000, '4 min 10 s'],
  [7_200_000, '2 h'],
  [183_600_000, '2 d 3 h'],
])('%d ms are told as %s', (ms, text) => expect(duration(ms)).toBe(text));
