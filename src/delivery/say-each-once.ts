/** What was said is not said again when a table is opened anew. */
export function sayEachOnce(): (what: string, say: () => void) => void {
  const said = new Set<string>();
  return (what, say) => {
    if (!said.has(what)) say();
    said.add(what);
  };
}
