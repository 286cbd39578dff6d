/** The secret by which values are masked. */
import type { ColumnRules } from '../column-rules';
import { optional, setting, type Form } from './forms';
import { ServiceError } from '../errors';

/** Shorter ones can be found by trying, as whoever has the hashes can try at leisure. */
const LEAST = 16;

const secretText: Form<string> = {
  says: `at least ${LEAST} characters`,
  read: (text) => (text.length >= LEAST ? text : undefined),
};

export const MASK_SETTINGS = {
  MASK_SECRET: setting(
    'Tables',
    'The key of the hashes that COLUMNS puts in the place of values (mask). Needed with any mask; another one makes other hashes. See docs/masking.md.',
    optional(secretText),
    { default: '', example: 'the output of: openssl rand -hex 32', sensitive: 'secret' },
  ),
} as const;

/** '' where nothing is masked. Throws CONFIG_INVALID. */
export function maskSecretOf(
  { MASK_SECRET: secret }: { readonly MASK_SECRET: string | null },
  rules: ColumnRules,
): string {
  if (secret !== null) return secret;
  if (rules.entries.every(({ rule }) => rule.mask === undefined)) return '';
  throw new ServiceError('CONFIG_INVALID', 'COLUMNS masks columns, and MASK_SECRET is not set.', {
    hint: 'Write a long random text into a file, for example by: openssl rand -hex 32, name it with MASK_SECRET_FILE, and keep it: with another one the hashes are others.',
  });
}
