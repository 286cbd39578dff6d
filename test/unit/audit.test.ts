import { auditVerdict } from '../../stack/audit';

const report = (counts: Record<string, number>, names: string[] = []): string =>
  `npm warn something {odd}\n${JSON.stringify({ vulnerabilities: Object.fromEntries(names.map((name) => [name, {}])), metadata: { vulnerabilities: counts } })}`.replace(
    '{odd}',
    'odd',
  );

describe('the audit of dependencies', () => {
  test('is clean without holes, and with small ones, which it names', () => {
    expect(auditVerdict(report({ critical: 0, high: 0, moderate: 0, low: 0 }))).toEqual({
      kind: 'clean',
      words: 'dependencies: 0 critical, 0 high, 0 moderate, 0 low',
    });
    expect(auditVerdict(report({ moderate: 1 }, ['a']))).toMatchObject({
      kind: 'clean',
      words: expect.stringMatching(/: a$/) as string,
    });
  });

  test.each(['critical', 'high'])('fails for a %s hole', (severity) => {
    expect(auditVerdict(report({ [severity]: 1 }, ['bad'])).kind).toBe('holes');
  });

  test.each([
    [
      JSON.stringify({ message: '405 Method Not Allowed - POST https://registry.example/x' }),
      '405 Method Not Allowed - POST the registry',
    ],
    [JSON.stringify({ error: { summary: 'request to https://x failed\nmore' } }), 'request to the registry failed'],
    ['', 'no answer that is known'],
    ['npm error network', 'no answer that is known'],
  ])('says plainly that it was not done where the registry does not answer it', (output, why) => {
    expect(auditVerdict(output)).toEqual({ kind: 'not audited', words: `dependencies: NOT AUDITED (${why})` });
  });
});
