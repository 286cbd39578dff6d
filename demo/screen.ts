/** What the demo shows: progress lines with the time since its beginning, and the blocks between them. */
export interface Screen {
  /** A progress line, with the seconds since the demo began. */
  readonly say: (line: string) => void;
  /** Text as it is, indented. */
  readonly show: (text: string) => void;
  /** Begins a part of the demo. */
  readonly title: (text: string) => void;
  /** Columns that a shown text may take. */
  readonly width: number;
}

const WIDTH_WITHOUT_TERMINAL = 130;
const INDENT = '  ';

export function openScreen(out: NodeJS.WriteStream): Screen {
  const beginning = performance.now();
  const write = (text: string): void => void out.write(`${text}\n`);
  return {
    say(line) {
      write(`${((performance.now() - beginning) / 1_000).toFixed(1).padStart(5)} s  ${line}`);
    },
    show(text) {
      write(text.replaceAll(/^(?=.)/gm, INDENT));
    },
    title(text) {
      write(`\n=== ${text}`);
    },
    width: (out.columns || WIDTH_WITHOUT_TERMINAL) - INDENT.length,
  };
}

/** `0.31 s` */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

/** `1 row`, `2 rows` */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
