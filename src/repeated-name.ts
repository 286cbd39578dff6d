/** Finds a name that stands twice in one object of a JSON text, of which JSON.parse keeps the last without a word. */

interface Level {
  readonly names: Set<string> | null;
  last: string;
}

/** The path to the first name that is repeated; null if none is. The text must be well-formed. */
export function repeatedName(text: string): readonly string[] | null {
  const levels: Level[] = [];
  let expectsName = false;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],]/g)) {
    if (token === '{' || token === '[') {
      levels.push({ names: token === '{' ? new Set() : null, last: '' });
      expectsName = token === '{';
    } else if (token === '}' || token === ']') {
      levels.pop();
      expectsName = false;
    } else if (token === ',') expectsName = levels.at(-1)?.names instanceof Set;
    else if (expectsName) {
      expectsName = false;
      if (!isNew(JSON.parse(token) as string, levels.at(-1)))
        return levels.filter(({ names }) => names !== null).map(({ last }) => last);
    }
  }
  return null;
}

function isNew(name: string, level: Level | undefined): boolean {
  if (level?.names == null) return true;
  level.last = name;
  const before = level.names.size;
  return level.names.add(name).size > before;
}
