/** The columns of all primary keys, in one look at the catalogue. */
import type { CatalogueQuery } from './catalogue';

export interface KeyColumn {
  readonly schema: string;
  readonly name: string;
  readonly column: string;
}

const SQL = `
SELECT n.nspname::text AS schema, c.relname::text AS name, a.attname::text AS column
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
WHERE i.indisprimary AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
ORDER BY 1, 2, a.attnum`;

export async function primaryKeyColumns(query: CatalogueQuery): Promise<readonly KeyColumn[]> {
  return (await query(SQL, [])) as readonly KeyColumn[];
}
