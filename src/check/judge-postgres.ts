/** What is wrong with the source: its settings, slots, publication, tables and rights. */
import { tableName } from '../model';
import { byHand, bytesText, finding, identifier, psql, quoted, shell } from './facts';
import { judgeColumns, judgeUnmarked } from './judge-columns';
import type { ConnectFacts, Finding, PostgresFacts, SlotFacts, TableFacts, Wanted } from './facts';

const PLACE = 'PostgreSQL';
const OLDEST = 140_000;
const GIB = 1024 ** 3;
/** A slot that holds more than this, or than half of what it may, is told of. */
const MUCH_WAL = GIB;
/** A slot that nobody reads for a moment, as in a restart, holds little. */
const SOME_WAL = 64 * 1024 * 1024;

/** `apply` is the command that puts the connector's side in place; `connect` what Kafka Connect said, if it did. */
export function judgePostgres(
  facts: PostgresFacts,
  {
    wanted,
    apply,
    connect,
  }: { readonly wanted: Wanted; readonly apply: string; readonly connect: ConnectFacts | null },
): Finding[] {
  return [
    ...judgeServer(facts),
    ...judgeRole(facts),
    ...judgeSlots(facts, wanted, { apply, connect }),
    ...judgePublication(facts, wanted, apply),
    ...facts.tables.flatMap((table) => judgeTable(table, facts.role.name, connect?.config ?? null)),
  ];
}

function judgeServer(facts: PostgresFacts): Finding[] {
  const found: Finding[] = [];
  if (facts.versionNumber < OLDEST) {
    const mend = byHand('Upgrade PostgreSQL to 14 or later.');
    found.push(finding('postgres-version', { place: PLACE, what: `its version is ${facts.version}`, mend }));
  }
  if (facts.walLevel !== 'logical') {
    const what = `wal_level is ${facts.walLevel}, not logical`;
    const mend = psql('ALTER SYSTEM SET wal_level = logical; -- then restart PostgreSQL');
    found.push(finding('postgres-wal-level', { place: PLACE, what, mend }));
  }
  if (facts.slotKeepsBytes === null) {
    const mend = psql("ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();");
    found.push(finding('postgres-wal-unbounded', { place: PLACE, what: 'max_slot_wal_keep_size is not set', mend }));
  }
  if (facts.tables.length === 0) {
    const what = 'no table matches TABLES_INCLUDE and TABLES_EXCLUDE';
    found.push(finding('no-tables', { place: PLACE, what, mend: shell("export TABLES_INCLUDE='public.*'") }));
  }
  return found;
}

function judgeRole({ role }: PostgresFacts): Finding[] {
  if (role.replication) return [];
  const mend = psql(`ALTER ROLE ${identifier(role.name)} REPLICATION;`);
  return [finding('role-no-replication', { place: PLACE, what: `the role ${role.name} has no REPLICATION`, mend })];
}

function judgeSlots(
  facts: PostgresFacts,
  wanted: Wanted,
  { apply, connect }: { readonly apply: string; readonly connect: ConnectFacts | null },
): Finding[] {
  const ours = facts.slots.find(({ name }) => name === wanted.slot);
  const found = facts.slots.filter((slot) => slot !== ours).flatMap(judgeOtherSlot);
  if (ours !== undefined) return [...judgeSlot(ours, facts.slotKeepsBytes, apply), ...found];
  if (connect?.config !== null && connect?.config !== undefined && connect.config['slot.name'] === wanted.slot) {
    const mend = shell(`debezium-clickhouse connectors delete && ${apply}`);
    found.push(finding('slot-missing', { place: `slot ${wanted.slot}`, what: 'it does not exist', mend }));
  }
  if (facts.slots.length >= facts.maxSlots) {
    const what = `all ${String(facts.maxSlots)} of max_replication_slots are taken`;
    const mend = psql(
      `ALTER SYSTEM SET max_replication_slots = ${String(facts.maxSlots + 10)}; -- then restart PostgreSQL`,
    );
    found.push(finding('postgres-no-free-slot', { place: PLACE, what, mend }));
  }
  if (facts.walSenders >= facts.maxWalSenders) {
    const what = `all ${String(facts.maxWalSenders)} of max_wal_senders are taken`;
    const mend = psql(
      `ALTER SYSTEM SET max_wal_senders = ${String(facts.maxWalSenders + 10)}; -- then restart PostgreSQL`,
    );
    found.push(finding('postgres-no-free-wal-sender', { place: PLACE, what, mend }));
  }
  return found;
}

function judgeSlot(slot: SlotFacts, keeps: number | null, apply: string): Finding[] {
  const place = `slot ${slot.name}`;
  const found: Finding[] = [];
  if (slot.walStatus === 'lost') {
    const mend = shell(`debezium-clickhouse connectors delete && ${apply}`);
    return [finding('slot-lost', { place, what: 'its wal_status is lost', mend })];
  }
  if (slot.plugin !== 'pgoutput') {
    const mend = shell(`export SLOT_NAME=${slot.name}_2; ${apply}`);
    found.push(finding('slot-plugin', { place, what: `its plugin is ${slot.plugin}`, mend }));
  }
  if (!slot.active) {
    const what = `nobody reads it, and it holds ${bytesText(slot.heldBytes)} of WAL`;
    found.push(finding('slot-inactive', { place, what, mend: shell(apply) }));
  } else if (slot.heldBytes > Math.min(MUCH_WAL, keeps === null ? Infinity : keeps / 2)) {
    const what = `it holds ${bytesText(slot.heldBytes)} of WAL${keeps === null ? '' : ` of ${bytesText(keeps)} that it may`}`;
    const mend = shell('debezium-clickhouse connectors restart --all');
    found.push(finding('slot-holds-wal', { place, what, mend }));
  }
  return found;
}

function judgeOtherSlot(slot: SlotFacts): Finding[] {
  if (slot.active || !slot.ours || slot.heldBytes < SOME_WAL) return [];
  const what = `nobody reads it, and it holds ${bytesText(slot.heldBytes)} of WAL`;
  const mend = psql(`SELECT pg_drop_replication_slot('${slot.name.replaceAll("'", "''")}');`);
  return [finding('other-slot-inactive', { place: `slot ${slot.name}`, what, mend })];
}

function judgePublication(facts: PostgresFacts, wanted: Wanted, apply: string): Finding[] {
  const { publication } = facts;
  const place = `publication ${wanted.publication}`;
  const found: Finding[] = [];
  if (wanted.signalTable !== null && !facts.signalTableExists) {
    const what = `the signal table ${wanted.signalTable} does not exist`;
    found.push(finding('signal-table-missing', { place: PLACE, what, mend: shell(apply) }));
  }
  if (publication === null) {
    return [...found, finding('publication-missing', { place, what: 'it does not exist', mend: shell(apply) })];
  }
  if (publication.leavesOut.length > 0) {
    const what = `it leaves out ${publication.leavesOut.join(', ')}`;
    const mend = psql(
      `ALTER PUBLICATION ${identifier(wanted.publication)} SET (publish = 'insert, update, delete, truncate');`,
    );
    found.push(finding('publication-leaves-out', { place, what, mend }));
  }
  return [...found, ...facts.tables.flatMap((table) => judgeMembership(table, facts, { wanted, apply }))];
}

function judgeMembership(
  table: TableFacts,
  { publication }: PostgresFacts,
  { wanted, apply }: { readonly wanted: Wanted; readonly apply: string },
): Finding[] {
  if (publication === null || table.unlogged) return [];
  const place = tableName(table);
  const member = publication.tables.find((one) => one.table === place);
  if (member === undefined) {
    const what = `it is not in the publication ${wanted.publication}`;
    return [finding('table-not-published', { place, what, mend: shell(apply) })];
  }
  if (!member.filtersRows && !member.filtersColumns) return [];
  const of = `ALTER PUBLICATION ${identifier(wanted.publication)}`;
  const what = `the publication filters its ${member.filtersRows ? 'rows' : 'columns'}`;
  const mend = psql(`${of} DROP TABLE ${quoted(table)}; ${of} ADD TABLE ${quoted(table)};`);
  return [finding('publication-filters', { place, what, mend })];
}

function judgeTable(table: TableFacts, role: string, config: ConnectFacts['config']): Finding[] {
  const place = tableName(table);
  if (table.unlogged) {
    const mend = psql(`ALTER TABLE ${quoted(table)} SET LOGGED;`);
    return [finding('table-unlogged', { place, what: 'it is UNLOGGED', mend })];
  }
  const found = [...judgeIdentity(table, config), ...judgeColumns(table, config)];
  if (!table.hasKey) {
    const what = 'it has no primary key and no unique index over NOT NULL columns';
    const mend = psql(
      `ALTER TABLE ${quoted(table)} ADD COLUMN cdc_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY; -- writes the table anew; better a key of its own columns`,
    );
    found.push(finding('table-without-key', { place, what, mend }));
  }
  if (!table.canSelect) {
    const mend = psql(
      `GRANT USAGE ON SCHEMA ${identifier(table.schema)} TO ${identifier(role)}; GRANT SELECT ON ${quoted(table)} TO ${identifier(role)};`,
    );
    found.push(finding('role-no-select', { place, what: `the role ${role} may not SELECT from it`, mend }));
  }
  return found;
}

function judgeIdentity(table: TableFacts, config: ConnectFacts['config']): Finding[] {
  const place = tableName(table);
  const mend = psql(`ALTER TABLE ${quoted(table)} REPLICA IDENTITY FULL;`);
  const what = `its replica identity is ${table.identity.toUpperCase()}, not FULL`;
  switch (table.identity) {
    case 'full':
      return [];
    case 'nothing':
      return [finding('identity-nothing', { place, what, mend })];
    case 'index':
      return [finding('identity-index', { place, what, mend })];
    case 'default': {
      if (!table.hasPrimaryKey) return [finding('identity-no-key', { place, what, mend })];
      const lost = judgeUnmarked(table, config);
      if (lost.length > 0) return lost;
      if (table.toastable.length === 0) return [finding('identity-default', { place, what, mend })];
      const columns = `it has columns for large values: ${table.toastable.join(', ')}`;
      return [finding('identity-toast', { place, what: `${what}; ${columns}`, mend })];
    }
  }
}
