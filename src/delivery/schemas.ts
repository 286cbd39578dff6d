/** Avro's schemas as the delivery knows them: asked for once, compiled once, waited for while the registry is away. */
import { compileAvro, type CompiledSchema } from '../debezium/avro-record';
import type { KnownSchemas } from '../debezium/open-record';
import type { SchemaRef } from '../debezium/schema-header';
import { ServiceError } from '../errors';
import type { Emit } from '../events';
import { patiently } from './patience';

export interface Schemas extends KnownSchemas {
  /**
   * Resolves once `find` knows the schema, or that there is none. Waits while the registry is away, for ever if it must be;
   * an abort ends the waiting. Throws REGISTRY_NOT_SET and REGISTRY_REFUSED_LOGIN.
   */
  resolve(ref: SchemaRef, signal: AbortSignal): Promise<void>;
  /** Those that counted as unknown are asked for again at once: somebody may have brought them. */
  forgetUnknown(): void;
}

export interface SchemaPorts {
  /** The text of a schema, null if the registry has none; null itself where no registry is set. */
  readonly fetch: ((ref: SchemaRef) => Promise<string | null>) | null;
  readonly emit: Emit;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A schema that is written a moment before its first record may not have reached the registry's replica yet. */
const PAUSES_MS = [200, 400, 800, 1600];
/** How long a schema counts as unknown before it is asked for again. */
const UNKNOWN_MS = 60_000;
/** Numbers that are remembered as unknown: damaged bytes name any number. */
const MOST_UNKNOWN = 10_000;

export function createSchemas({ fetch, emit, sleep }: SchemaPorts): Schemas {
  const found = new Map<string, CompiledSchema | 'unreadable'>();
  const unknown = new Map<string, number>();
  const asked = new Map<string, Promise<void>>();
  /** The last one found: records of one topic mostly have the same. */
  const last: { space: SchemaRef['space']; id: number; schema: CompiledSchema | null } = {
    space: 'id',
    id: -1,
    schema: null,
  };

  const ask = async (ref: SchemaRef, signal: AbortSignal): Promise<void> => {
    const key = keyOf(ref);
    if (fetch === null) throw notSet(ref);
    for (let attempt = 0; ; attempt++) {
      const text = await patiently(() => fetch(ref), { signal, emit });
      if (text !== null) {
        found.set(key, compileAvro(text) ?? 'unreadable');
        return;
      }
      const pause = PAUSES_MS[attempt];
      if (pause === undefined) break;
      await sleep(pause, signal);
    }
    if (unknown.size >= MOST_UNKNOWN) unknown.clear();
    unknown.set(key, performance.now());
  };

  return {
    find(space, id) {
      if (last.schema !== null && last.id === id && last.space === space) return last.schema;
      const key = keyOf({ space, id });
      const schema = found.get(key);
      if (schema !== undefined) {
        if (schema === 'unreadable') return schema;
        Object.assign(last, { space, id, schema });
        return schema;
      }
      const since = unknown.get(key);
      return since !== undefined && performance.now() - since < UNKNOWN_MS ? 'unknown' : null;
    },
    async resolve(ref, signal) {
      const key = keyOf(ref);
      for (;;) {
        signal.throwIfAborted();
        const under = asked.get(key);
        if (under === undefined) break;
        // Another partition asks for the same; if it gives up, this one asks itself.
        await under.catch(() => undefined);
        if (this.find(ref.space, ref.id) !== null) return;
      }
      const asking = ask(ref, signal).finally(() => asked.delete(key));
      asked.set(key, asking);
      await asking;
    },
    forgetUnknown() {
      unknown.clear();
    },
  };
}

function keyOf({ space, id }: SchemaRef): string {
  return `${space}:${id}`;
}

function notSet({ id }: SchemaRef): ServiceError {
  return new ServiceError(
    'REGISTRY_NOT_SET',
    `A record is in Avro, written with schema ${id}, and no registry is set.`,
    {
      hint: 'Set REGISTRY_URL to the registry that the connector uses (make env prints it). Nothing of this topic was written or acknowledged.',
    },
  );
}
