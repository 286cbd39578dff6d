/** How a failure ends a command: one block on standard error, and the exit code. */
import { ERROR_CODES, ServiceError, type ErrorCode, type ErrorPlace } from '../errors';

export const EXIT = { done: 0, findings: 1, config: 2, failed: 3, unexpected: 70 } as const;

/** Reasons to stop that a supervisor should be able to tell apart. */
const EXIT_BY_CODE: Partial<Readonly<Record<ErrorCode, number>>> = {
  CHANGES_EXPIRED: 4,
  TOPIC_RECREATED: 5,
  REGISTRY_NOT_SET: 6,
  TARGET_OWNED_BY_OTHER_GROUP: 7,
  INTERNAL: EXIT.unexpected,
};

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof ServiceError)) return EXIT.unexpected;
  return EXIT_BY_CODE[error.code] ?? (ERROR_CODES[error.code] === 'config' ? EXIT.config : EXIT.failed);
}

/** Code, message, place and hint, ending with a line break. */
export function failureBlock(error: unknown): string {
  if (!(error instanceof ServiceError)) return unexpectedBlock(error);
  const where = placeText(error.place);
  return [
    `error ${error.code}`,
    `  ${error.message}`,
    ...(where === '' ? [] : [`  at: ${where}`]),
    `  do: ${error.hint}`,
    '',
  ].join('\n');
}

/** An error without a code is a bug: where it came from matters. A SyntaxError's message quotes what was parsed, so it is left out. */
function unexpectedBlock(error: unknown): string {
  const known = error instanceof Error ? error : new Error('something that is no Error was thrown');
  const frames = (known.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const message = known instanceof SyntaxError ? '' : `: ${known.message}`;
  return [
    'error INTERNAL',
    `  ${known.name}${message}`,
    ...frames,
    '  do: This is a bug. Nothing is lost: what was not finished is done again at the next start. Please report it with the lines above.',
    '',
  ].join('\n');
}

function placeText(place: ErrorPlace): string {
  return Object.entries(place)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}
