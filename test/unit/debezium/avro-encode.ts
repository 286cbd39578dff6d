/** Avro's binary encoding, written plainly from its specification: what the reader of Avro is tested against. */

/** A schema as JSON. */
export type Schema = string | readonly Schema[] | { readonly type: unknown; readonly [key: string]: unknown };

/** The bytes of `value`. Of a union the branch is null or the other one; named types are resolved where they stand. */
export function encode(schema: Schema, value: unknown, names = declared(schema)): Buffer {
  if (typeof schema === 'string') {
    const named = names.get(schema);
    return named === undefined ? primitive(schema, value) : encode(named, value, names);
  }
  if (Array.isArray(schema)) {
    const branches = schema as readonly Schema[];
    const index = branches.findIndex((branch) => (branch === 'null') === (value === null));
    return Buffer.concat([long(index), encode(branches[index]!, value, names)]);
  }
  const node = schema as { readonly type: Schema; readonly [key: string]: unknown };
  switch (node.type) {
    case 'record': {
      const row = value as Record<string, unknown>;
      const fields = node['fields'] as readonly { readonly name: string; readonly type: Schema }[];
      return Buffer.concat(fields.map(({ name, type }) => encode(type, row[name] ?? null, names)));
    }
    case 'enum':
      return long((node['symbols'] as string[]).indexOf(value as string));
    case 'fixed':
      return value as Buffer;
    case 'array':
      return blocks((value as unknown[]).map((item) => encode(node['items'] as Schema, item, names)));
    case 'map':
      return blocks(
        Object.entries(value as object).map(([key, item]) =>
          Buffer.concat([primitive('string', key), encode(node['values'] as Schema, item, names)]),
        ),
      );
    default:
      return encode(node.type, value, names);
  }
}

/** The records that a schema declares, by their short name and with their namespace. */
function declared(schema: Schema): Map<string, Schema> {
  const names = new Map<string, Schema>();
  JSON.stringify(schema, (_, node: unknown) => {
    const record = node as { type?: unknown; name?: unknown; namespace?: unknown } | null;
    if (record?.type !== 'record') return node;
    for (const name of [record.name, `${String(record.namespace)}.${String(record.name)}`])
      names.set(String(name), record as Schema);
    return node;
  });
  return names;
}

/** With Confluent's framing. */
export function framed(id: number, content: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, content]);
}

export function long(value: number | bigint): Buffer {
  const wide = BigInt(value);
  let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
  const bytes: number[] = [];
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

/** Two blocks where there is more than one item: the first with its length in bytes, the second without. */
function blocks(items: readonly Buffer[]): Buffer {
  if (items.length < 2) return Buffer.concat([...(items.length === 0 ? [] : [long(items.length)]), ...items, long(0)]);
  const [first, ...rest] = items;
  return Buffer.concat([long(-1), long(first!.length), first!, long(rest.length), ...rest, long(0)]);
}

function primitive(type: string, value: unknown): Buffer {
  switch (type) {
    case 'null':
      return Buffer.alloc(0);
    case 'boolean':
      return Buffer.from([value === true ? 1 : 0]);
    case 'int':
    case 'long':
      return long(value as number | bigint);
    case 'float': {
      const bytes = Buffer.alloc(4);
      bytes.writeFloatLE(value as number);
      return bytes;
    }
    case 'double': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value as number);
      return bytes;
    }
    case 'bytes':
      return Buffer.concat([long((value as Buffer).length), value as Buffer]);
    case 'string': {
      const bytes = Buffer.from(value as string);
      return Buffer.concat([long(bytes.length), bytes]);
    }
    default:
      throw new Error(`no primitive: ${type}`);
  }
}
