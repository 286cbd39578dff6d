/** Choices of columns for tests that want values clamped, whatever the defaults are. */
import { choicesOf, columnRules, type ColumnChoices, type ColumnRule } from '../../src/column-rules';

export const CLAMPED: ColumnChoices = ruled({ policy: 'clamp' });

/** Every column has the rule; those that are widened became text. */
export function ruled(rule: ColumnRule, widened: readonly string[] = []): ColumnChoices {
  return choicesOf(columnRules([{ table: '*.*', column: '*', rule }]), { schema: 'public', name: 't' }, widened);
}
