/** Finds keys of a table by the values of their columns, as they stand in `changes`. */
import type { ClickHouse } from './client';
import { quoteName, quoteText } from './quote';

/** Column to value as text, without quotes; column null: the key's only one. */
export type KeyValues = readonly { readonly column: string | null; readonly value: string }[];

/**
 * The texts of the keys that have exactly these columns with these values, whether they are numbers or texts. Reads the
 * keys of the whole table; the statement does not come into ClickHouse's log of queries.
 */
export async function findKeys(
  clickhouse: ClickHouse,
  machinery: string,
  of: { readonly schema: string; readonly table: string; readonly values: KeyValues },
): Promise<string[]> {
  const conditions = of.values.map(({ column, value }) => {
    const name = column === null ? 'JSONExtractKeys(key)[1]' : quoteText(column);
    const text = quoteText(value);
    return `((JSONType(key, ${name}) = 'String' AND JSONExtractString(key, ${name}) = ${text}) OR (JSONType(key, ${name}) NOT IN ('String', 'Null') AND JSONExtractRaw(key, ${name}) = ${text}))`;
  });
  const rows = await clickhouse.query<{ key: string }>(
    `SELECT DISTINCT key FROM ${quoteName(machinery)}.changes WHERE schema = ${quoteText(of.schema)} AND table = ${quoteText(of.table)} AND key != '' ` +
      `AND length(JSONExtractKeys(key)) = ${of.values.length} AND ${conditions.join(' AND ')} SETTINGS log_queries = 0`,
  );
  return rows.map(({ key }) => key);
}
