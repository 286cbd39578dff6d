/** What the log says of tables that are audited only. */
import type { TableCode } from '../errors';

/** Why a table is not mirrored, in words. */
export const REASONS: Readonly<Record<TableCode, string>> = {
  TABLE_WITHOUT_KEY: 'Debezium sends no value of its key (of none of its columns), so its rows cannot be told apart',
  TABLE_NOT_STREAMED:
    'its rows come under another name: by its leaves, or by the partitioned table that it is a leaf of, as the publication says',
  TABLE_UNKNOWN: 'PostgreSQL has no such table (any more), so its types are not known',
  TABLE_NAME_TAKEN: 'the name of its view is taken in ClickHouse; give it another with ROUTES',
  TABLE_RULE_WRONG:
    'its rules give a column a type that its values cannot have, or a name that another column has (docs/types.md)',
  TABLE_KEY_MASKED:
    'a rule drops or skips a column of its key, by which its rows are told apart; mask: hash can be used',
  TABLE_KEY_MASK_CHANGED:
    'the mask of a column of its key was changed, and changes holds events under the keys of before; see docs/masking.md',
  TABLE_COLUMN_RESERVED:
    'it has a column with the name of a column of the mirror itself (_sign, _offset and the like), or arrays that ClickHouse would take for one Nested column (a.b, a.c)',
};
