/**
 * Mirrors in the making: each beside its name under a name of its own, put in place in one step. Whoever writes to a
 * table although somebody makes its mirror anew drops what is in the making first, so that it never takes the place.
 */
import { randomBytes } from 'node:crypto';
import type { ClickHouse } from './client';
import { createMirrorSql, DDL_SETTINGS, mirrorName, quoteName, quoteText, type MirrorPlace } from './ddl';
import type { TargetTable } from './insert';

export interface MirrorShadows {
  /** An empty table beside the mirror of `place`, under a name that nobody else uses. */
  make(place: MirrorPlace): Promise<TargetTable>;
  /**
   * Puts the shadow in the mirror's place in one step, and drops what stood there and every other shadow of the table.
   * False if the shadow was dropped meanwhile: the mirror that stands stays.
   */
  install(shadow: TargetTable, place: MirrorPlace): Promise<boolean>;
  drop(name: string): Promise<void>;
  /** Drops every shadow that there is, whoever makes it. */
  dropAll(): Promise<void>;
}

const SUFFIX = '__mirror';

export function mirrorShadows(clickhouse: ClickHouse, machinery: string): MirrorShadows {
  const qualified = (name: string): string => `${quoteName(machinery)}.${quoteName(name)}`;

  const uuidOf = async (name: string): Promise<string | null> => {
    const rows = await clickhouse.query<{ uuid: string }>(
      `SELECT toString(uuid) AS uuid FROM system.tables WHERE database = ${quoteText(machinery)} AND name = ${quoteText(name)}`,
    );
    return rows[0]?.uuid ?? null;
  };

  const drop = (name: string): Promise<void> => clickhouse.command(`DROP TABLE IF EXISTS ${qualified(name)} SYNC`);

  /** Shadows have the comment of their mirror, and another name. */
  const dropThose = async (where: string): Promise<void> => {
    const rows = await clickhouse.query<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = ${quoteText(machinery)} AND startsWith(comment, 'debezium-clickhouse: mirror of ') ` +
        `AND NOT endsWith(name, ${quoteText(SUFFIX)}) AND ${where}`,
    );
    for (const { name } of rows) await drop(name);
  };

  return {
    async make(place) {
      const name = `${mirrorName(place.name)}__new_${randomBytes(6).toString('hex')}`;
      await clickhouse.command(createMirrorSql(place, name), DDL_SETTINGS);
      return { database: machinery, name, uuid: (await uuidOf(name)) ?? '' };
    },
    async install(shadow, place) {
      const name = mirrorName(place.name);
      const exists = (await uuidOf(name)) !== null;
      try {
        await clickhouse.command(
          exists
            ? `EXCHANGE TABLES ${qualified(shadow.name)} AND ${qualified(name)}`
            : `RENAME TABLE ${qualified(shadow.name)} TO ${qualified(name)}`,
        );
      } catch (error) {
        // The answer may be lost, and the statement done.
        if ((await uuidOf(name)) !== shadow.uuid) {
          if ((await uuidOf(shadow.name)) === null) return false;
          throw error;
        }
      }
      await dropThose(`startsWith(name, ${quoteText(`${name}__new`)})`);
      return true;
    },
    drop,
    dropAll: () => dropThose('1'),
  };
}
