/** Asks npm's registry for known holes in the packages that run in production; says so visibly where it cannot be asked. */
import { runToEnd } from './run-to-end';

export interface Verdict {
  readonly kind: 'clean' | 'holes' | 'not audited';
  readonly words: string;
}

/** What `npm audit --json` printed, judged: a hole that is high or critical fails the check, others are told. */
export function auditVerdict(output: string): Verdict {
  const report = parsed(output);
  const counts = report?.metadata?.vulnerabilities;
  if (counts === undefined) return { kind: 'not audited', words: `dependencies: NOT AUDITED (${whyNot(report)})` };
  const told = SEVERITIES.map((severity) => `${String(counts[severity] ?? 0)} ${severity}`).join(', ');
  const names = Object.keys(report?.vulnerabilities ?? {});
  const bad = (counts['critical'] ?? 0) + (counts['high'] ?? 0) > 0;
  return {
    kind: bad ? 'holes' : 'clean',
    words: `dependencies: ${told}${names.length === 0 ? '' : `: ${names.join(', ')}`}`,
  };
}

const SEVERITIES = ['critical', 'high', 'moderate', 'low'];

function whyNot(report: Report | null): string {
  const text = report?.message ?? report?.error?.summary ?? 'no answer that is known';
  return (text.split('\n')[0] ?? '').replace(/https?:\/\/\S+/g, 'the registry').trim();
}

interface Report {
  readonly message?: string;
  readonly error?: { readonly summary?: string };
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> };
  readonly vulnerabilities?: Readonly<Record<string, unknown>>;
}

/** npm writes warnings before the report. */
function parsed(output: string): Report | null {
  try {
    return JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1)) as Report;
  } catch {
    return null;
  }
}

async function main(): Promise<void> {
  const args = ['audit', '--json', '--omit=dev', '--omit=optional'];
  const { output } = await runToEnd({
    file: 'npm',
    args,
    env: { npm_config_fetch_retries: '0', npm_config_fetch_timeout: '15000' },
  });
  const { kind, words } = auditVerdict(output);
  process.stdout.write(`${words}\n`);
  process.exitCode = kind === 'holes' ? 1 : 0;
}

if (require.main === module) void main();
